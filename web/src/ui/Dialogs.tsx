import { useEffect, useRef } from "preact/hooks";
import { giveToken } from "../state/actions";
import * as store from "../state/store";

export function Question() {
  const question = store.question.value;
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (question) dialog.current?.showModal();
  }, [question]);
  const answer = (yes: boolean) => {
    dialog.current?.close();
    store.question.value = null;
    question?.answer(yes);
  };
  if (!question) return null;
  return (
    <dialog
      ref={dialog}
      aria-labelledby="question-title"
      onCancel={(event) => {
        event.preventDefault();
        answer(false);
      }}
    >
      <h2 id="question-title">{question.title}</h2>
      <p>{question.text}</p>
      <div class="row end">
        <button type="button" onClick={() => answer(false)}>
          Keep
        </button>
        <button class={question.danger ? "primary danger" : "primary"} type="button" onClick={() => answer(true)}>
          {question.confirm}
        </button>
      </div>
    </dialog>
  );
}

export function TokenForm() {
  const dialog = useRef<HTMLDialogElement>(null);
  const needed = store.tokenNeeded.value;
  useEffect(() => {
    if (needed) dialog.current?.showModal();
  }, [needed]);
  if (!needed) return null;
  const submit = (event: Event) => {
    event.preventDefault();
    const token = new FormData(event.currentTarget as HTMLFormElement).get("token");
    if (typeof token === "string" && token.trim()) giveToken(token.trim());
  };
  return (
    <dialog ref={dialog} aria-labelledby="token-title" onCancel={(event) => event.preventDefault()}>
      <form onSubmit={submit}>
        <h2 id="token-title">This roadlift asks for a token</h2>
        <p>It was started with one; whoever started it can tell you. The token stays in this tab.</p>
        <div class="field">
          <label for="token">Token</label>
          <input id="token" name="token" type="password" autocomplete="off" required aria-describedby="token-help" />
          <p class="fine" id="token-help">
            {store.tokenRefused.value ? "That token was not accepted." : "\u00a0"}
          </p>
        </div>
        <div class="row end">
          <button class="primary" type="submit">
            Continue
          </button>
        </div>
      </form>
    </dialog>
  );
}
