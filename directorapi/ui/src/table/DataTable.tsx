import "./table.css";

import { Button, Group, Text } from "@mantine/core";
import { type ReactNode, useRef } from "react";

import { Head } from "./Head";
import { Row } from "./Row";
import { type Sort, sortOf } from "./sort";
import { useOrder } from "./useOrder";
import { rowHeight, useRows } from "./useRows";

/** A Column is one figure of every row. */
export interface Column<T> {
  id: string;
  label: string; // "" for a column of acts
  width?: number; // pixels; columns without one share what is left
  from?: "phone" | "tablet" | "wide"; // the smallest screen that shows it; absent is every one
  number?: boolean; // set to the right
  main?: boolean; // names the row and opens it; one column of a table is
  by?: (row: T) => string | number; // what sorts it; absent: it cannot be sorted by
  cell: (row: T, tab: 0 | -1) => ReactNode; // tab is for what can be focused in it
}

/** A Selection is which rows are ticked, by key. */
export interface Selection {
  keys: ReadonlySet<string>;
  onChange: (keys: ReadonlySet<string>) => void;
}

export interface Table<T> {
  label: string; // names the table
  noun: string; // of a row: "host"
  rows: readonly T[];
  columns: readonly Column<T>[];
  keyOf: (row: T) => string;
  nameOf: (row: T) => string;
  href: (row: T) => string; // where Enter on a row leads
  sort: Sort;
  onSort: (sort: Sort) => void;
  selection?: Selection;
  empty: string; // said in place of rows when a filter lets none through
}

/**
 * DataTable draws a list of any length: only the rows in sight are in the
 * document, and what reads the screen aloud is told how many there are. Arrows,
 * Page, Home and End go through the rows, Enter opens one. While figures move
 * every row keeps its place.
 */
export function DataTable<T>(table: Table<T>) {
  const { rows: source, columns, keyOf, sort, selection } = table;
  const scroller = useRef<HTMLDivElement>(null);
  const { rows, stale, again } = useOrder(source, keyOf, sortOf(columns, sort));
  const { inSight, total, active, onKeyDown, onFocus } = useRows(rows, keyOf, scroller);
  const wide = columns.length + (selection ? 1 : 0);
  let end = rowHeight;
  const body: ReactNode[] = [];
  for (const { index, start } of inSight) {
    const row = rows[index];
    if (row === undefined) continue;
    if (start > end) body.push(<Gap key={`gap-${String(start)}`} height={start - end} />);
    body.push(
      <Row
        key={keyOf(row)}
        {...{ table, row, index, active: index === active, ticked: selection?.keys.has(keyOf(row)) ?? false }}
      />,
    );
    end = start + rowHeight;
  }
  if (total > end) body.push(<Gap key="rest" height={total - end} />);
  return (
    <div className="list">
      <div className="list-scroll" ref={scroller} onKeyDown={onKeyDown} onFocus={onFocus}>
        <table aria-label={table.label} aria-rowcount={rows.length + 1} aria-colcount={wide}>
          <Head table={table} rows={rows} />
          <tbody>{body}</tbody>
        </table>
        {rows.length === 0 && (
          <Text p="md" c="dimmed" size="sm">
            {table.empty}
          </Text>
        )}
      </div>
      <Group className="list-foot" gap="md">
        <span role="status">{many(rows.length, table.noun)}</span>
        {stale && (
          <Button size="compact-xs" variant="subtle" onClick={again}>
            The order is old: sort again
          </Button>
        )}
      </Group>
    </div>
  );
}

function Gap({ height }: { height: number }) {
  return <tr aria-hidden="true" style={{ height }} />;
}

function many(n: number, noun: string): string {
  return `${n === 0 ? "no" : n.toLocaleString("en-GB")} ${noun}${n === 1 ? "" : "s"}`;
}
