import type { Column } from "./DataTable";
import type { Sorting } from "./useOrder";

/** A Sort is a column and a direction. */
export interface Sort {
  column: string;
  down: boolean;
}

/** parseSort reads what {@link writeSort} wrote; "" gives the one that is usual. */
export function parseSort(text: string, usual: Sort): Sort {
  if (text === "") return usual;
  return text.startsWith("-") ? { column: text.slice(1), down: true } : { column: text, down: false };
}

/** writeSort writes a sort for the address bar: "cpu", or "-cpu" for the largest first. */
export function writeSort({ column, down }: Sort): string {
  return (down ? "-" : "") + column;
}

/** sortOf finds what a column is sorted by; an unknown column is the first one. */
export function sortOf<T>(columns: readonly Column<T>[], sort: Sort): Sorting<T> {
  const column = columns.find(({ id, by }) => id === sort.column && by) ?? columns[0];
  return { as: writeSort(sort), by: column?.by ?? (() => 0), down: sort.down };
}

/** nextSort is what a click on a column's head does: numbers begin with the largest. */
export function nextSort<T>(column: Column<T>, sort: Sort): Sort {
  if (sort.column === column.id) return { column: column.id, down: !sort.down };
  return { column: column.id, down: column.number ?? false };
}
