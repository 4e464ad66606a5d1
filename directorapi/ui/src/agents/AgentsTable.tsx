import { Button, Group, Table, Text } from "@mantine/core";

import type { Agent } from "../api/client";
import { ConfirmButton } from "../parts/ConfirmButton";
import { ErrorNote } from "../parts/ErrorNote";
import { MoreRows } from "../parts/MoreRows";
import { StateWord, type Tone } from "../parts/StateWord";
import { useNow } from "../parts/clock";
import { useShown } from "../parts/useShown";
import { ago, exact } from "../parts/words";
import { useApprove, useDecide } from "./queries";

const tones = { pending: "attention", registered: "ready", revoked: "broken" } satisfies Record<
  Agent["state"],
  Tone
>;

/** AgentsTable shows the agents that an admin has decided about. */
export function AgentsTable({ agents }: { agents: Agent[] }) {
  const now = useNow();
  const { shown, hidden, more } = useShown(agents);
  if (agents.length === 0) return null;
  return (
    <div className="table-wrap">
      <Table verticalSpacing={6} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Host</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Key</Table.Th>
            <Table.Th>Since</Table.Th>
            <Table.Th>Last seen</Table.Th>
            <Table.Th>Version</Table.Th>
            <Table.Th aria-label="Actions" />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {shown.map((agent) => (
            <AgentRow key={agent.guid} agent={agent} now={now} />
          ))}
        </Table.Tbody>
      </Table>
      <MoreRows hidden={hidden} onMore={more} />
    </div>
  );
}

function AgentRow({ agent, now }: { agent: Agent; now: number }) {
  return (
    <Table.Tr>
      <Table.Td className="name">
        {agent.hostname}
        {agent.requested_hostname && <NewName agent={agent} wish={agent.requested_hostname} />}
      </Table.Td>
      <Table.Td className="wide">
        <StateWord tone={tones[agent.state]}>{agent.state}</StateWord>
        {agent.conflict && <StateWord tone="attention">another key was seen under its id</StateWord>}
        {agent.orphaned_by && <StateWord tone="attention">its host asks anew under another id</StateWord>}
      </Table.Td>
      <Table.Td>
        <span className="fingerprint" title={`SHA256 ${agent.fingerprint}`}>
          {short(agent.fingerprint)}
        </span>
      </Table.Td>
      <Table.Td title={exact(agent.registered_at)}>{ago(agent.registered_at, now)}</Table.Td>
      <Table.Td title={exact(agent.last_seen_at)}>{ago(agent.last_seen_at, now)}</Table.Td>
      <Table.Td>{agent.version ?? "not said"}</Table.Td>
      <Table.Td ta="right">
        {agent.state === "revoked" ? <Reactivate agent={agent} /> : <Revoke agent={agent} />}
      </Table.Td>
    </Table.Tr>
  );
}

function NewName({ agent, wish }: { agent: Agent; wish: string }) {
  const accept = useApprove(agent);
  return (
    <>
      <Group gap="xs">
        <Text size="sm">wants to be called {wish}</Text>
        <Button
          size="compact-xs"
          variant="default"
          loading={accept.isPending}
          onClick={() => {
            accept.mutate();
          }}
        >
          Accept the name
        </Button>
      </Group>
      <ErrorNote error={accept.error} />
    </>
  );
}

function Revoke({ agent }: { agent: Agent }) {
  const revoke = useDecide(agent, "revoke");
  return (
    <ConfirmButton
      label="Revoke"
      question={`Revoke ${agent.hostname}? The director stops talking to it at once and nobody can open a desktop there.`}
      confirm="Revoke it"
      action={revoke}
    />
  );
}

function Reactivate({ agent }: { agent: Agent }) {
  const reactivate = useDecide(agent, "reactivate");
  return (
    <>
      <Button
        size="compact-sm"
        variant="default"
        loading={reactivate.isPending}
        onClick={() => {
          reactivate.mutate();
        }}
      >
        Reactivate
      </Button>
      <ErrorNote error={reactivate.error} />
    </>
  );
}

// Enough to tell two apart in a list; the whole key shows on hover.
function short(fingerprint: string): string {
  return fingerprint.length > 20 ? `${fingerprint.slice(0, 8)}…${fingerprint.slice(-5)}` : fingerprint;
}
