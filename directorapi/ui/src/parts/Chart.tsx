import "./meter.css";

/** A Series is a figure over time, equally spaced; null where nothing is known. */
export interface Series {
  label: string; // "CPU"
  over: string; // "the last hour"
  points: readonly (number | null)[];
  write: (value: number) => string; // with its unit
  top?: number; // of the scale; absent: the largest point
}

const width = 300;
const height = 56;

/** Chart draws a series small; the words above it say what it shows. A gap stays a gap. */
export function Chart({ label, over, points, write, top }: Series) {
  const known = points.filter((point) => point !== null);
  const now = points.at(-1);
  const highest = known.length > 0 ? Math.max(...known) : 0;
  const scale = Math.max(top ?? highest, 1e-9);
  const words =
    known.length === 0
      ? `${label} over ${over}: nothing is known yet`
      : `${label} over ${over}: now ${sayNow(now, write)}, lowest ${write(Math.min(...known))}, highest ${write(highest)}`;
  return (
    <figure className="chart">
      <figcaption>
        <span>{label}</span>
        <span className="chart-quiet">
          {known.length === 0 ? "nothing yet" : `${sayNow(now, write)} · peak ${write(highest)}`}
        </span>
      </figcaption>
      <svg
        role="img"
        aria-label={words}
        viewBox={`0 0 ${String(width)} ${String(height)}`}
        preserveAspectRatio="none"
      >
        {runs(points).map((run) => (
          <Run key={run.from} run={run} step={width / Math.max(1, points.length - 1)} scale={scale} />
        ))}
      </svg>
    </figure>
  );
}

function sayNow(now: number | null | undefined, write: (value: number) => string): string {
  return now === null || now === undefined ? "not known" : write(now);
}

interface Stretch {
  from: number; // index of its first point
  values: number[];
}

// The stretches between gaps.
function runs(points: readonly (number | null)[]): Stretch[] {
  const all: Stretch[] = [];
  points.forEach((point, i) => {
    if (point === null) return;
    const last = all.at(-1);
    if (last && last.from + last.values.length === i) last.values.push(point);
    else all.push({ from: i, values: [point] });
  });
  return all;
}

function Run({ run, step, scale }: { run: Stretch; step: number; scale: number }) {
  // A stretch of one point is drawn as wide as half a step, so that it can be seen.
  const values = run.values.length === 1 ? [...run.values, ...run.values] : run.values;
  const wide = run.values.length === 1 ? step / 2 : step;
  const left = run.from * step;
  const at = (value: number, i: number) =>
    `${(left + i * wide).toFixed(1)} ${(height - (Math.min(value, scale) / scale) * (height - 2)).toFixed(1)}`;
  const line = `M${values.map(at).join("L")}`;
  const right = (left + (values.length - 1) * wide).toFixed(1);
  return (
    <>
      <path
        className="chart-area"
        d={`${line}L${right} ${String(height)}L${left.toFixed(1)} ${String(height)}Z`}
      />
      <path className="chart-line" d={line} />
    </>
  );
}
