import { defaultRangeExtractor, useVirtualizer } from "@tanstack/react-virtual";
import { type FocusEvent, type KeyboardEvent, type RefObject, useState } from "react";
import { flushSync } from "react-dom";

/** rowHeight is that of every row and of the head, in pixels; table.css has it too. */
export const rowHeight = 36;

/**
 * useRows says which rows to draw and moves the focus through all of them. The
 * row that has the focus is always drawn, wherever the list was scrolled to.
 */
export function useRows<T>(
  rows: readonly T[],
  keyOf: (row: T) => string,
  scroller: RefObject<HTMLDivElement | null>,
) {
  const [activeKey, setActiveKey] = useState("");
  const found = activeKey === "" ? 0 : rows.findIndex((row) => keyOf(row) === activeKey);
  const active = Math.max(0, found);
  // eslint-disable-next-line react-hooks/incompatible-library -- what it returns goes to no memo
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 8,
    paddingStart: rowHeight, // the head
    scrollPaddingStart: rowHeight, // which stays on top
    rangeExtractor: (range) => {
      const inSight = defaultRangeExtractor(range);
      if (active >= range.count || inSight.includes(active)) return inSight;
      return [...inSight, active].sort((a, b) => a - b);
    },
  });

  const focus = (index: number) => {
    const row = rows[index];
    if (row === undefined) return;
    flushSync(() => {
      setActiveKey(keyOf(row));
    });
    list.scrollToIndex(index);
    const main = scroller.current?.querySelector<HTMLElement>(`tr[data-index="${String(index)}"] a`);
    main?.focus({ preventScroll: true });
  };
  const page = Math.max(1, Math.floor((list.scrollRect?.height ?? 0) / rowHeight) - 2);

  return {
    inSight: list.getVirtualItems(),
    total: list.getTotalSize(),
    active,
    onFocus: (event: FocusEvent) => {
      const index = Number(event.target.closest<HTMLElement>("tr[data-index]")?.dataset["index"] ?? -1);
      const row = rows[index];
      if (row !== undefined) setActiveKey(keyOf(row));
    },
    onKeyDown: (event: KeyboardEvent) => {
      if (event.altKey || event.ctrlKey || event.metaKey || !inRow(event.target)) return;
      const to = target(event.key, active, page, rows.length - 1);
      if (to === undefined) return;
      event.preventDefault();
      focus(to);
    },
  };
}

function inRow(element: EventTarget): boolean {
  return element instanceof Element && element.closest("tr[data-index]") !== null;
}

function target(key: string, active: number, page: number, last: number): number | undefined {
  switch (key) {
    case "ArrowDown":
      return Math.min(last, active + 1);
    case "ArrowUp":
      return Math.max(0, active - 1);
    case "PageDown":
      return Math.min(last, active + page);
    case "PageUp":
      return Math.max(0, active - page);
    case "Home":
      return 0;
    case "End":
      return last;
  }
  return undefined;
}
