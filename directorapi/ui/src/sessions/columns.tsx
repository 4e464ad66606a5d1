import type { Session } from "../api/client";
import { exact, span } from "../parts/words";
import type { Column } from "../table/DataTable";
import { CloseSession } from "./CloseSession";
import { idleOf } from "./idle";
import { keyOfSession } from "./queries";
import { SessionState } from "./SessionState";

/** sessionColumns are the figures of a session. */
export function sessionColumns(now: number): Column<Session>[] {
  return [
    { id: "owner", label: "Owner", main: true, by: ({ owner }) => owner, cell: ({ owner }) => owner },
    {
      id: "host",
      label: "Host",
      by: ({ server_id }) => server_id ?? "",
      cell: ({ server_id }) => <span title={server_id}>{server_id}</span>,
    },
    {
      id: "state",
      label: "State",
      width: 232,
      from: "phone",
      by: (session) => session["creation-time"] ?? "",
      cell: (session) => <SessionState session={session} now={now} />,
    },
    {
      id: "type",
      label: "Type",
      width: 84,
      from: "tablet",
      by: ({ type }) => type,
      cell: ({ type }) => type,
    },
    {
      id: "clients",
      label: "Clients",
      width: 84,
      number: true,
      from: "phone",
      by: (session) => session["num-of-connections"],
      cell: (session) => session["num-of-connections"],
    },
    {
      id: "idle",
      label: "Idle for",
      width: 104,
      number: true,
      from: "tablet",
      by: (session) => idleOf(session, now) ?? -1,
      cell: (session) => <Idle session={session} now={now} />,
    },
    {
      id: "id",
      label: "Id",
      width: 190,
      from: "wide",
      by: ({ id }) => id,
      cell: (session) => <span title={keyOfSession(session)}>{session.id}</span>,
    },
    {
      id: "close",
      label: "",
      width: 88,
      number: true,
      cell: (session, tab) => <CloseSession session={session} tab={tab} />,
    },
  ];
}

function Idle({ session, now }: { session: Session; now: number }) {
  const idle = idleOf(session, now);
  if (idle === undefined) return <span className="chart-quiet">in use</span>;
  return (
    <span title={exact(session["last-disconnection-time"] ?? session["creation-time"])}>{span(idle)}</span>
  );
}
