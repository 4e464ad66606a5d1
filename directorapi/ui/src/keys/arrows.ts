import type { KeyboardEvent } from "react";

/**
 * arrows returns a listener for a container: arrows, Home and End move the focus
 * among the elements in it that match the selector, as they lie on the screen.
 * What has the focus and does not match keeps its own arrows.
 */
export function arrows(selector: string): (event: KeyboardEvent<HTMLElement>) => void {
  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const all = [...event.currentTarget.querySelectorAll<HTMLElement>(selector)];
    const at = all.findIndex((one) => one === event.target);
    if (at < 0) return;
    const next = neighbour(event.key, all, at);
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
}

function neighbour(key: string, all: HTMLElement[], at: number): HTMLElement | undefined {
  switch (key) {
    case "Home":
      return all[0];
    case "End":
      return all.at(-1);
    case "ArrowLeft":
      return all[at - 1];
    case "ArrowRight":
      return all[at + 1];
    case "ArrowDown":
      return nearest(all, at, 1);
    case "ArrowUp":
      return nearest(all, at, -1);
  }
  return undefined;
}

// The closest row below or above, and in it the closest column.
function nearest(all: HTMLElement[], at: number, direction: 1 | -1): HTMLElement | undefined {
  const from = all[at]?.getBoundingClientRect();
  if (!from) return undefined;
  if (from.height === 0) return all[at + direction]; // nothing is laid out
  let best: { element: HTMLElement; far: number } | undefined;
  for (const element of all) {
    const to = element.getBoundingClientRect();
    const down = (middle(to) - middle(from)) * direction;
    if (down < from.height / 2) continue;
    const far = down + Math.abs(to.left - from.left) / 1_000;
    if (!best || far < best.far) best = { element, far };
  }
  return best?.element;
}

function middle({ top, height }: DOMRect): number {
  return top + height / 2;
}
