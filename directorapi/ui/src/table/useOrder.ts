import { useState } from "react";

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** A Sorting says by what rows are sorted. `as` names it: another name sorts anew. */
export interface Sorting<T> {
  as: string;
  by: (row: T) => string | number;
  down: boolean;
}

interface Order<T> {
  as: string;
  again: number;
  source: readonly T[];
  rows: readonly T[];
  stale: boolean;
}

/**
 * useOrder sorts rows once and then lets each keep its place while its figures
 * move; rows that are new come in where they belong. `stale` says that sorting
 * anew, which `again` does, would move some.
 */
export function useOrder<T>(
  source: readonly T[],
  keyOf: (row: T) => string,
  sorting: Sorting<T>,
): { rows: readonly T[]; stale: boolean; again: () => void } {
  const [times, setTimes] = useState(0);
  const [order, setOrder] = useState<Order<T>>(() => sortAll(source, keyOf, sorting, 0));
  let now = order;
  if (order.as !== sorting.as || order.again !== times) now = sortAll(source, keyOf, sorting, times);
  else if (order.source !== source) now = keepPlaces(order, source, keyOf, sorting);
  if (now !== order) setOrder(now);
  return {
    rows: now.rows,
    stale: now.stale,
    again: () => {
      setTimes((old) => old + 1);
    },
  };
}

function sortAll<T>(
  source: readonly T[],
  keyOf: (row: T) => string,
  sorting: Sorting<T>,
  again: number,
): Order<T> {
  const rows = source.toSorted(comparing(keyOf, sorting));
  return { as: sorting.as, again, source, rows, stale: false };
}

function keepPlaces<T>(
  old: Order<T>,
  source: readonly T[],
  keyOf: (row: T) => string,
  sorting: Sorting<T>,
): Order<T> {
  const compare = comparing(keyOf, sorting);
  const arrived = new Map(source.map((row) => [keyOf(row), row]));
  const kept: T[] = [];
  for (const row of old.rows) {
    const key = keyOf(row);
    const next = arrived.get(key);
    if (next === undefined) continue;
    kept.push(next);
    arrived.delete(key);
  }
  const rows = merge(kept, [...arrived.values()].sort(compare), compare);
  const stale = rows.some((row, i) => i > 0 && compare(rows[i - 1] as T, row) > 0);
  return { ...old, source, rows, stale };
}

// In one pass, so that ten thousand new rows cost no more than sorting them.
function merge<T>(kept: T[], added: T[], compare: (a: T, b: T) => number): T[] {
  const all: T[] = [];
  let next = 0;
  for (const row of kept) {
    for (; next < added.length && compare(added[next] as T, row) < 0; next++) all.push(added[next] as T);
    all.push(row);
  }
  return all.concat(added.slice(next));
}

function comparing<T>(keyOf: (row: T) => string, { by, down }: Sorting<T>): (a: T, b: T) => number {
  const sign = down ? -1 : 1;
  return (a, b) => {
    const left = by(a);
    const right = by(b);
    const order =
      typeof left === "number" && typeof right === "number"
        ? left - right
        : collator.compare(String(left), String(right));
    return order === 0 ? collator.compare(keyOf(a), keyOf(b)) : sign * order;
  };
}
