import { Alert, Code, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { Agent } from "../api/client";
import { ErrorNote } from "../parts/ErrorNote";
import { AgentsTable } from "./AgentsTable";
import { PendingAgents } from "./PendingAgents";
import { agentsQuery } from "./queries";

/** AgentsPage shows who asks to join, and below it who has. */
export function AgentsPage() {
  const agents = useQuery(agentsQuery);
  return (
    <Stack>
      <Title order={1} size="h3">
        Agents
      </Title>
      <ErrorNote title="Cannot list the agents" error={agents.error} />
      {agents.isPending && <Skeleton height={180} aria-label="Loading the agents" />}
      {agents.data?.length === 0 && <NoAgents />}
      {agents.data && agents.data.length > 0 && <Agents agents={agents.data} />}
    </Stack>
  );
}

function Agents({ agents }: { agents: Agent[] }) {
  const byName = agents.toSorted(
    (a, b) => a.hostname.localeCompare(b.hostname) || a.guid.localeCompare(b.guid),
  );
  return (
    <>
      <PendingAgents agents={byName.filter(({ state }) => state === "pending")} />
      <AgentsTable agents={byName.filter(({ state }) => state !== "pending")} />
    </>
  );
}

function NoAgents() {
  return (
    <Alert color="gray" title="No agent has asked to join yet">
      <Text size="sm" mb="xs">
        On each host that runs DCV, install the agent, name this director in the section [agent] of
        dcvix-agent.conf and start it. It then asks here to be let in.
      </Text>
      <Code block>{`director_host = ${window.location.hostname}\nsystemctl restart dcvix-agent`}</Code>
    </Alert>
  );
}
