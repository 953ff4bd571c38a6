import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { MapView } from "../map/view";

const STEP = 0.02;
const PAGE_STEP = 0.1;

/** A second map of the bare image over the left part of the first; the border between them can be moved. */
export function Compare({ view }: { view: MapView }) {
  const container = useRef<HTMLDivElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const share = useSignal(0.5);

  useEffect(() => {
    const bare = new MapView(container.current!, view.image, false);
    const stop = bare.follow(view);
    return () => {
      stop();
      bare.remove();
    };
  }, []);

  const set = (value: number) => (share.value = Math.min(1, Math.max(0, value)));
  const drag = (event: PointerEvent) => {
    if (event.buttons === 0 && event.type === "pointermove") return;
    const { left, width } = frame.current!.getBoundingClientRect();
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    set((event.clientX - left) / width);
  };
  const key = (event: KeyboardEvent) => {
    const moved = {
      ArrowLeft: share.value - STEP,
      ArrowRight: share.value + STEP,
      PageDown: share.value - PAGE_STEP,
      PageUp: share.value + PAGE_STEP,
      Home: 0,
      End: 1,
    }[event.key];
    if (moved === undefined) return;
    event.preventDefault();
    set(moved);
  };
  const percent = Math.round(share.value * 100);
  return (
    <div class="compare" ref={frame}>
      <div class="compare-map" ref={container} aria-hidden="true" inert style={{ clipPath: `inset(0 ${100 - share.value * 100}% 0 0)` }} />
      <div
        class="compare-handle"
        role="slider"
        tabIndex={0}
        aria-label="Border between image and roads"
        aria-orientation="horizontal"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={`${percent} % image, ${100 - percent} % roads`}
        style={{ left: `${share.value * 100}%` }}
        onPointerDown={drag}
        onPointerMove={drag}
        onKeyDown={key}
      >
        <span class="compare-grip" aria-hidden="true" />
      </div>
      <span class="compare-label left" style={{ opacity: share.value > 0.15 ? 1 : 0 }}>
        Image
      </span>
      <span class="compare-label right" style={{ opacity: share.value < 0.85 ? 1 : 0 }}>
        Roads
      </span>
    </div>
  );
}
