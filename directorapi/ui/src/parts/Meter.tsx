import "./meter.css";

/** Meter is a share of a whole, 0 to 100, as a number with a small bar below it. */
export function Meter({ percent, title }: { percent: number; title?: string }) {
  const shown = Math.min(100, Math.max(0, percent));
  return (
    <span className="meter" title={title}>
      {shown.toFixed(0)} %
      <span aria-hidden="true" className={shown >= 90 ? "meter-bar meter-full" : "meter-bar"}>
        <span style={{ width: `${String(shown)}%` }} />
      </span>
    </span>
  );
}
