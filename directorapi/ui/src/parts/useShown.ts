import { useState } from "react";

/**
 * useShown cuts a long list to what a page can draw at once, so that ten
 * thousand rows do not stop the browser. `more` shows the next ones.
 */
export function useShown<T>(
  all: readonly T[],
  step = 200,
): { shown: readonly T[]; hidden: number; more: () => void } {
  const [limit, setLimit] = useState(step);
  return {
    shown: all.slice(0, limit),
    hidden: Math.max(0, all.length - limit),
    more: () => {
      setLimit((old) => old + step);
    },
  };
}
