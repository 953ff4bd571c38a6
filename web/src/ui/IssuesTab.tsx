import { atStake, issueTitle } from "../format";
import { pickIssue } from "../state/actions";
import * as store from "../state/store";
import { PickList } from "./PickList";

/** What a person should look at, most important first. */
export function IssuesTab() {
  const issues = store.issues.value?.features ?? [];
  return (
    <>
      <p class="fine">{issues.length ? "Places worth a look; those that decide about the most road come first." : "Nothing here needs a second look."}</p>
      <PickList
        label="Issues"
        items={issues}
        keyOf={(issue) => issue.properties.key}
        chosen={store.issueKey.value}
        onPick={pickIssue}
      >
        {(issue) => (
          <>
            <span class="dot" data-kind={issue.properties.kind} aria-hidden="true" />
            <span class="grow">
              {issueTitle(issue)}
              <span class="fine block">{[issue.properties.reason, atStake(issue)].filter(Boolean).join("; ")}</span>
            </span>
          </>
        )}
      </PickList>
    </>
  );
}
