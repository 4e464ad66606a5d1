import { Link } from "react-router";

import type { Table } from "./DataTable";
import { classes, shownFrom } from "./Head";

interface Line<T> {
  table: Table<T>;
  row: T;
  index: number; // in the list, from 0
  active: boolean; // the Tab key reaches what is in it
  ticked: boolean;
}

/** Row is one row of a list; the cell that names it is the link that opens it. */
export function Row<T>({ table, row, index, active, ticked }: Line<T>) {
  const { columns, selection, keyOf, nameOf, href } = table;
  const tab = active ? 0 : -1;
  return (
    <tr aria-rowindex={index + 2} data-index={index} className={ticked ? "ticked" : ""}>
      {selection && (
        <td>
          <input
            type="checkbox"
            tabIndex={tab}
            aria-label={`Select ${nameOf(row)}`}
            checked={ticked}
            onChange={() => {
              selection.onChange(toggled(selection.keys, keyOf(row)));
            }}
          />
        </td>
      )}
      {columns.map((column) => {
        const className = classes(shownFrom(column.from), column.number && "number");
        if (!column.main)
          return (
            <td key={column.id} className={className}>
              {column.cell(row, tab)}
            </td>
          );
        return (
          <th key={column.id} scope="row" className={className}>
            <Link to={href(row)} tabIndex={tab} title={nameOf(row)} className="list-open">
              {column.cell(row, tab)}
            </Link>
          </th>
        );
      })}
    </tr>
  );
}

function toggled(keys: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(keys);
  if (!next.delete(key)) next.add(key);
  return next;
}
