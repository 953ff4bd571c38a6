import { issueTitle } from "../format";
import * as store from "../state/store";
import { PickList } from "./PickList";

/** What a person should look at, most important first. */
export function IssuesTab() {
  const issues = store.issues.value?.features ?? [];
  return (
    <>
      <p class="fine">{issues.length ? "Places worth a look, most important first." : "Nothing here needs a second look."}</p>
      <PickList
        label="Issues"
        items={issues}
        keyOf={(issue) => issue.properties.key}
        chosen={store.issueKey.value}
        onPick={(issue) => {
          store.showIssues.value = true;
          store.issueKey.value = issue.properties.key;
        }}
      >
        {(issue) => (
          <>
            <span class="dot" data-kind={issue.properties.kind} aria-hidden="true" />
            <span class="grow">
              {issueTitle(issue)}
              <span class="fine block">{issue.properties.reason}</span>
            </span>
          </>
        )}
      </PickList>
    </>
  );
}
