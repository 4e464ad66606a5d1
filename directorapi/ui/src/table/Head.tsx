import type { Column, Table } from "./DataTable";
import { nextSort } from "./sort";

/** Head is the columns' names, each a button that sorts, and the tick for all rows. */
export function Head<T>({ table, rows }: { table: Table<T>; rows: readonly T[] }) {
  const { columns, selection, keyOf } = table;
  const ticked = rows.filter((row) => selection?.keys.has(keyOf(row))).length;
  return (
    <>
      <colgroup>
        {selection && <col style={{ width: 36 }} />}
        {columns.map(({ id, width, from }) => (
          <col key={id} className={shownFrom(from)} {...(width ? { style: { width } } : {})} />
        ))}
      </colgroup>
      <thead>
        <tr aria-rowindex={1}>
          {selection && (
            <td>
              <input
                type="checkbox"
                aria-label={`Select all ${table.noun}s of the list`}
                checked={ticked > 0 && ticked === rows.length}
                ref={(box) => {
                  if (box) box.indeterminate = ticked > 0 && ticked < rows.length;
                }}
                onChange={(event) => {
                  selection.onChange(new Set(event.target.checked ? rows.map(keyOf) : []));
                }}
              />
            </td>
          )}
          {columns.map((column) => (
            <HeadCell key={column.id} table={table} column={column} />
          ))}
        </tr>
      </thead>
    </>
  );
}

function HeadCell<T>({ table, column }: { table: Table<T>; column: Column<T> }) {
  const { sort } = table;
  const here = sort.column === column.id;
  const order = sort.down ? "descending" : "ascending";
  const className = classes(shownFrom(column.from), column.number && "number");
  if (column.label === "") return <td className={className} />;
  if (!column.by)
    return (
      <th scope="col" className={className}>
        {column.label}
      </th>
    );
  return (
    <th scope="col" className={className} aria-sort={here ? order : "none"}>
      <button
        type="button"
        className="list-sort"
        onClick={() => {
          table.onSort(nextSort(column, sort));
        }}
      >
        {column.label}
        <span aria-hidden="true">{here && (sort.down ? " ↓" : " ↑")}</span>
      </button>
    </th>
  );
}

/** shownFrom is the class of a column that small screens leave out. */
export function shownFrom(from: Column<never>["from"]): string {
  return from ? `from-${from}` : "";
}

/** classes joins names of classes, without those that are not there. */
export function classes(...names: (string | false | undefined)[]): string {
  return names.filter(Boolean).join(" ");
}
