import { Clock } from "../parts/Ago";
import { StateWord, type Tone } from "../parts/StateWord";
import type { Column } from "../table/DataTable";
import type { Entry } from "./entries";

/** auditColumns are what a record says. */
export const auditColumns: Column<Entry>[] = [
  {
    id: "time",
    label: "Time",
    width: 130,
    main: true,
    by: ({ record }) => Date.parse(record.time ?? "1970-01-01"),
    cell: ({ record }) => (record.time ? <Clock at={record.time} /> : "not known"),
  },
  {
    id: "action",
    label: "Action",
    width: 150,
    by: ({ record }) => record.action,
    cell: ({ record }) => record.action,
  },
  {
    id: "outcome",
    label: "Outcome",
    width: 110,
    from: "phone",
    by: ({ record }) => record.outcome,
    cell: ({ record }) => <StateWord tone={toneOf(record.outcome)}>{record.outcome}</StateWord>,
  },
  {
    id: "actor",
    label: "Who",
    by: ({ record }) => record.actor ?? "",
    cell: ({ record }) => <span title={record.role}>{record.actor}</span>,
  },
  {
    id: "target",
    label: "Target",
    from: "tablet",
    by: ({ record }) => record.target ?? "",
    cell: ({ record }) => <span title={record.target}>{record.target}</span>,
  },
  {
    id: "reason",
    label: "Why, or what changed",
    from: "wide",
    cell: ({ record }) => {
      const words = record.reason ?? ([record.old, record.new].filter(Boolean).join(" → ") || undefined);
      return <span title={words}>{words}</span>;
    },
  },
  {
    id: "address",
    label: "From",
    width: 140,
    from: "wide",
    by: ({ record }) => record.address ?? "",
    cell: ({ record }) => record.address,
  },
];

/** toneOf is the colour of an outcome. */
export function toneOf(outcome: string): Tone {
  switch (outcome) {
    case "ok":
      return "ready";
    case "challenged":
      return "working";
    case "refused":
      return "attention";
  }
  return "broken";
}
