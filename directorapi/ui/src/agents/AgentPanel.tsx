import { Anchor, Button, Group, Stack, Text } from "@mantine/core";
import { Link } from "react-router";

import type { Agent } from "../api/client";
import { ErrorNote } from "../parts/ErrorNote";
import { Facts } from "../parts/Facts";
import { Fingerprint } from "../parts/Fingerprint";
import { SidePanel } from "../parts/SidePanel";
import { useNow } from "../parts/clock";
import { ago, exact } from "../parts/words";
import { AgentState } from "./columns";
import { Decide } from "./Decide";
import { useApprove } from "./queries";

/** AgentPanel shows one agent in full; guid "" is none. */
export function AgentPanel({
  guid,
  agent,
  onClose,
}: {
  guid: string;
  agent: Agent | undefined;
  onClose: () => void;
}) {
  return (
    <SidePanel title={guid === "" ? "" : (agent?.hostname ?? guid)} onClose={onClose}>
      {agent ? <Shown agent={agent} /> : <Text size="sm">There is no such agent any more.</Text>}
    </SidePanel>
  );
}

function Shown({ agent }: { agent: Agent }) {
  const now = useNow(5_000);
  return (
    <>
      <Group justify="space-between" wrap="nowrap">
        <AgentState agent={agent} />
        {agent.state !== "pending" && <Decide agent={agent} />}
      </Group>
      {agent.conflict && (
        <Text size="sm">
          Somebody asked under this id with another key. If the host was installed anew, revoke this agent and
          approve the new request; if not, somebody copied its id.
        </Text>
      )}
      {agent.requested_hostname && <NewName agent={agent} wish={agent.requested_hostname} />}
      <Facts
        of={{
          Key: <Fingerprint of={agent.fingerprint} />,
          Id: <span className="fingerprint">{agent.guid}</span>,
          "First asked": <span title={exact(agent.created_at)}>{ago(agent.created_at, now)}</span>,
          "Member since": <span title={exact(agent.registered_at)}>{ago(agent.registered_at, now)}</span>,
          "Last seen": <span title={exact(agent.last_seen_at)}>{ago(agent.last_seen_at, now)}</span>,
          Version: agent.version ?? "not said",
          "Other names": agent.aliases?.join(", "),
          Tags: agent.tags.join(", "),
          Certificate:
            agent.cert_serial === "" ? "" : <span className="fingerprint">{agent.cert_serial}</span>,
        }}
      />
      {agent.state === "registered" && (
        <Anchor component={Link} size="sm" to={`/hosts?open=${encodeURIComponent(agent.hostname)}`}>
          See its host
        </Anchor>
      )}
    </>
  );
}

function NewName({ agent, wish }: { agent: Agent; wish: string }) {
  const accept = useApprove(agent);
  return (
    <Stack gap="xs">
      <Text size="sm">
        Its host calls itself {wish} now. Until you accept that, it stays {agent.hostname}.
      </Text>
      <Group>
        <Button
          size="compact-sm"
          loading={accept.isPending}
          onClick={() => {
            accept.mutate();
          }}
        >
          Accept the name
        </Button>
      </Group>
      <ErrorNote error={accept.error} />
    </Stack>
  );
}
