/** A bar for something that takes a while; without a share it only says that work goes on. */
export function Progress({ label, share }: { label: string; share: number | null }) {
  const known = share !== null && share > 0 && share < 1;
  return (
    <div
      class={known || share === 1 ? "progress" : "progress unknown"}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? Math.round(share * 100) : undefined}
    >
      <div style={{ transform: `scaleX(${share ?? 0})` }} />
    </div>
  );
}
