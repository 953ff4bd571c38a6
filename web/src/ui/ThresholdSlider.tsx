import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

interface Props {
  value: number;
  /** Heard while the handle moves. */
  onInput?: (value: number) => void;
  /** Heard when the handle rests and nothing is waited for; resolves to the value that holds then. */
  onRest?: (value: number) => Promise<number>;
  waiting?: boolean;
}

const REST_MS = 350;

export function ThresholdSlider({ value, onInput, onRest, waiting = false }: Props) {
  const shown = useSignal(value);
  useEffect(() => {
    if (!onRest) shown.value = value;
  }, [value]);
  // Arrow keys change a slider at every press: wait for the last one, and for the answer to the one before.
  useEffect(() => {
    if (!onRest || waiting || shown.value === value) return;
    const asked = shown.value;
    const timer = setTimeout(() => {
      void onRest(asked).then((holds) => {
        if (shown.value === asked) shown.value = holds;
      });
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [shown.value, waiting]);
  const input = (event: Event) => {
    shown.value = Number((event.currentTarget as HTMLInputElement).value);
    onInput?.(shown.value);
  };
  return (
    <div class="field">
      <label for="threshold">
        Threshold <output for="threshold">{shown.value.toFixed(2)}</output>
      </label>
      <input id="threshold" type="range" min="0.05" max="0.95" step="0.01" value={shown.value} aria-describedby="threshold-help" onInput={input} />
      <p class="fine spread" id="threshold-help">
        <span>finds more roads</span>
        <span>makes fewer mistakes</span>
      </p>
    </div>
  );
}
