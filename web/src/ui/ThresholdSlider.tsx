import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

interface Props {
  value: number;
  disabled?: boolean;
  /** Heard while the handle moves. */
  onInput?: (value: number) => void;
  /** Heard when it rests. */
  onChange?: (value: number) => void;
}

const REST_MS = 350;

export function ThresholdSlider({ value, disabled = false, onInput, onChange }: Props) {
  const shown = useSignal(value);
  useEffect(() => void (shown.value = value), [value]);
  // Arrow keys change a slider at every press: wait for the last one.
  useEffect(() => {
    if (!onChange || shown.value === value) return;
    const timer = setTimeout(() => onChange(shown.value), REST_MS);
    return () => clearTimeout(timer);
  }, [shown.value]);
  const input = (event: Event) => {
    shown.value = Number((event.currentTarget as HTMLInputElement).value);
    onInput?.(shown.value);
  };
  return (
    <div class="field">
      <label for="threshold">
        Threshold <output for="threshold">{shown.value.toFixed(2)}</output>
      </label>
      <input id="threshold" type="range" min="0.05" max="0.95" step="0.01" value={shown.value} disabled={disabled} aria-describedby="threshold-help" onInput={input} />
      <p class="fine spread" id="threshold-help">
        <span>finds more roads</span>
        <span>makes fewer mistakes</span>
      </p>
    </div>
  );
}
