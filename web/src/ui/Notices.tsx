import * as store from "../state/store";
import { Icon } from "./Icon";

export function Notices() {
  return (
    <div class="notices">
      {!store.connected.value && (
        <div class="notice" data-kind="lost" role="alert">
          <Icon name="warning" />
          <p>
            <strong>roadlift does not answer.</strong> Is “roadlift serve” still running? The page goes on by itself when it is back.
          </p>
        </div>
      )}
      {store.notices.value.map((notice) => (
        <div key={notice.id} class="notice" data-kind={notice.kind} role={notice.kind === "error" ? "alert" : "status"}>
          <Icon name={notice.kind === "error" ? "warning" : "accept"} />
          <p>{notice.text}</p>
          <button class="quiet square" type="button" aria-label="Close message" onClick={() => store.dismiss(notice.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
