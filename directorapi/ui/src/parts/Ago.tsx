import { useClock } from "./clock";
import { ago, clock, exact } from "./words";

interface Moment {
  at: string | null | undefined; // as the director writes times; none is "never"
}

/** Ago tells a moment from now, "4 minutes ago"; hovering tells it exactly. */
export function Ago({ at }: Moment) {
  const words = useClock((now) => ago(at, now));
  return at ? (
    <time dateTime={at} title={exact(at)}>
      {words}
    </time>
  ) : (
    words
  );
}

/** Clock tells a moment by the time of day, and by the day if it is another; hovering tells it exactly. */
export function Clock({ at }: { at: string }) {
  const words = useClock((now) => clock(at, now));
  return (
    <time dateTime={at} title={exact(at)}>
      {words}
    </time>
  );
}
