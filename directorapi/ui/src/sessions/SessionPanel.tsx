import { Anchor, Group, Text } from "@mantine/core";
import { Link } from "react-router";

import type { Session } from "../api/client";
import { Facts } from "../parts/Facts";
import { SidePanel } from "../parts/SidePanel";
import { useNow } from "../parts/clock";
import { ago, exact, span } from "../parts/words";
import { CloseSession } from "./CloseSession";
import { idleOf } from "./idle";
import { SessionState } from "./SessionState";

/** SessionPanel shows one session in full; id "" is none. One that has ended is said to have. */
export function SessionPanel({
  id,
  session,
  onClose,
}: {
  id: string;
  session: Session | undefined;
  onClose: () => void;
}) {
  const title = session ? `${session.owner} on ${session.server_id ?? ""}` : id;
  return (
    <SidePanel title={id === "" ? "" : title} onClose={onClose}>
      {session ? <Shown session={session} /> : <Text size="sm">This session has ended.</Text>}
    </SidePanel>
  );
}

function Shown({ session }: { session: Session }) {
  const now = useNow(5_000);
  const idle = idleOf(session, now);
  const open = encodeURIComponent;
  return (
    <>
      <Group justify="space-between">
        <SessionState session={session} now={now} />
        <CloseSession session={session} />
      </Group>
      <Facts
        of={{
          Owner: (
            <Anchor component={Link} size="sm" to={`/sessions?owner=${open(session.owner)}`}>
              {session.owner}
            </Anchor>
          ),
          Host: (
            <Anchor component={Link} size="sm" to={`/hosts?open=${open(session.server_id ?? "")}`}>
              {session.server_id}
            </Anchor>
          ),
          Type: session.type,
          Id: <code>{session.id}</code>,
          Began: <span title={exact(session["creation-time"])}>{ago(session["creation-time"], now)}</span>,
          Clients: String(session["num-of-connections"]),
          "Idle for": idle === undefined ? "" : span(idle),
          Display: session["x11-display"],
          Licence: session["licensing-mode"],
          Storage: session["storage-root"],
          "Last report": <span title={exact(session["last-seen"])}>{ago(session["last-seen"], now)}</span>,
        }}
      />
      <Anchor component={Link} size="sm" to={`/access?user=${open(session.owner)}`}>
        What may {session.owner} reach?
      </Anchor>
    </>
  );
}
