import { Alert, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { Session } from "../api/client";
import { ConfirmButton } from "../parts/ConfirmButton";
import { ErrorNote } from "../parts/ErrorNote";
import { MoreRows } from "../parts/MoreRows";
import { useNow } from "../parts/clock";
import { useShown } from "../parts/useShown";
import { connected } from "../parts/words";
import { sessionsQuery, useCloseSession } from "./queries";
import { SessionState } from "./SessionState";

/** SessionsPage shows who works where. */
export function SessionsPage() {
  const sessions = useQuery(sessionsQuery);
  return (
    <Stack>
      <Title order={1} size="h3">
        Sessions
      </Title>
      <ErrorNote title="Cannot list the sessions" error={sessions.error} />
      {sessions.isPending && <Skeleton height={180} aria-label="Loading the sessions" />}
      {sessions.data?.length === 0 && (
        <Alert color="gray" title="Nobody has a desktop open">
          <Text size="sm">
            A session appears here as soon as somebody opens one, on the portal or with the launcher.
          </Text>
        </Alert>
      )}
      {sessions.data && sessions.data.length > 0 && <Sessions sessions={sessions.data} />}
    </Stack>
  );
}

function Sessions({ sessions }: { sessions: Session[] }) {
  const now = useNow(10_000);
  const { shown, hidden, more } = useShown(inOrder(sessions));
  return (
    <div className="table-wrap">
      <Table verticalSpacing={6} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Owner</Table.Th>
            <Table.Th>Host</Table.Th>
            <Table.Th>Type</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Clients</Table.Th>
            <Table.Th aria-label="Actions" />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {shown.map((session) => (
            <SessionRow key={keyOf(session)} session={session} now={now} />
          ))}
        </Table.Tbody>
      </Table>
      <MoreRows hidden={hidden} onMore={more} />
    </div>
  );
}

function SessionRow({ session, now }: { session: Session; now: number }) {
  const close = useCloseSession(session);
  const host = session.server_id ?? "";
  const clients = session["num-of-connections"];
  return (
    <Table.Tr>
      <Table.Td className="name">{session.owner}</Table.Td>
      <Table.Td className="name">{host}</Table.Td>
      <Table.Td>{session.type}</Table.Td>
      <Table.Td>
        <SessionState session={session} now={now} />
      </Table.Td>
      <Table.Td>{clients}</Table.Td>
      <Table.Td ta="right">
        <ConfirmButton
          label="Close"
          question={`Close ${session.owner}'s ${session.type} session on ${host}? ${connected(clients)} Programs that run in it end.`}
          confirm="Close the session"
          action={close}
        />
      </Table.Td>
    </Table.Tr>
  );
}

function keyOf(session: Session): string {
  return `${session.server_id ?? ""}/${session.id}`;
}

// By host and id, so that rows keep their places from one report to the next.
function inOrder(sessions: Session[]): Session[] {
  return sessions.toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)));
}
