import type { Column } from "../table/DataTable";
import type { Line } from "./rows";

/** accessColumns are what a line of the policy says. */
export const accessColumns: Column<Line>[] = [
  { id: "name", label: "Name", main: true, by: ({ name }) => name, cell: ({ name }) => name },
  { id: "kind", label: "Kind", width: 80, by: ({ kind }) => kind, cell: ({ kind }) => kind },
  {
    id: "hosts",
    label: "Hosts",
    width: 80,
    number: true,
    by: ({ hosts }) => hosts,
    cell: ({ hosts }) => hosts,
  },
  {
    id: "pools",
    label: "Pools",
    from: "tablet",
    by: ({ pools }) => pools.join(", "),
    cell: ({ pools }) => <span title={pools.join(", ")}>{pools.join(", ")}</span>,
  },
  {
    id: "notes",
    label: "Besides",
    from: "tablet",
    by: ({ notes }) => notes,
    cell: ({ notes }) => <span title={notes}>{notes}</span>,
  },
  {
    id: "at",
    label: "Line",
    width: 160,
    from: "phone",
    by: ({ at }) => at,
    cell: ({ at }) => <code>{at}</code>,
  },
];
