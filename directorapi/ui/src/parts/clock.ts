import { useSyncExternalStore } from "react";

// One clock for the whole page: ten thousand rows do not need a timer each.
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let now = 0;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(tick, 1_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function tick(): void {
  now = Date.now();
  for (const listener of listeners) listener();
}

/** seen is the time as the page's clock shows it, milliseconds since the epoch. */
function seen(): number {
  if (timer === undefined || now === 0) now = Date.now();
  return now;
}

/**
 * useClock returns what `read` makes of the time, and draws again only when that
 * has become something else.
 */
export function useClock<T extends string | number | boolean>(read: (now: number) => T): T {
  return useSyncExternalStore(subscribe, () => read(seen()));
}

/** useNow returns the time, again every so many milliseconds. */
export function useNow(every = 1_000): number {
  return useClock((now) => Math.floor(now / every) * every);
}
