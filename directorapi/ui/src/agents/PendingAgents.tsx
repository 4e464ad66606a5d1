import { Button, Card, Group, Stack, Text, Title } from "@mantine/core";

import type { Agent } from "../api/client";
import { ApiError } from "../api/errors";
import { ConfirmButton } from "../parts/ConfirmButton";
import { ErrorNote } from "../parts/ErrorNote";
import { MoreRows } from "../parts/MoreRows";
import { StateWord } from "../parts/StateWord";
import { useNow } from "../parts/clock";
import { useShown } from "../parts/useShown";
import { ago, exact } from "../parts/words";
import { useApprove, useDecide } from "./queries";

/** PendingAgents are those that ask to join: what needs an admin. */
export function PendingAgents({ agents }: { agents: Agent[] }) {
  const now = useNow();
  const { shown, hidden, more } = useShown(agents);
  if (agents.length === 0) return <StateWord tone="ready">No agent waits for approval.</StateWord>;
  return (
    <Stack gap="xs" component="section" aria-label="Waiting for approval">
      {shown.map((agent) => (
        <PendingAgent key={agent.guid} agent={agent} now={now} />
      ))}
      <MoreRows hidden={hidden} onMore={more} />
    </Stack>
  );
}

function PendingAgent({ agent, now }: { agent: Agent; now: number }) {
  const approve = useApprove(agent);
  const replace = useApprove(agent, true);
  const deny = useDecide(agent, "deny");
  const taken = approve.error instanceof ApiError && approve.error.status === 409;
  return (
    <Card component="article" withBorder padding="sm" aria-label={agent.hostname}>
      <Stack gap="xs">
        <Group justify="space-between" align="flex-start">
          <Stack gap={2}>
            <Title order={2} size="h5" className="name">
              {agent.hostname} asks to join
            </Title>
            <Text size="sm" c="dimmed" title={exact(agent.created_at)}>
              First asked {ago(agent.created_at, now)}. Compare the key with what the agent printed on its
              host:
            </Text>
            <span className="fingerprint">SHA256 {agent.fingerprint}</span>
          </Stack>
          <Group gap="xs">
            <Button
              size="compact-sm"
              loading={approve.isPending}
              onClick={() => {
                approve.mutate();
              }}
            >
              Approve
            </Button>
            <ConfirmButton
              label="Deny"
              question={`Deny ${agent.hostname}? Its agent is not let in and cannot ask again for 24 hours.`}
              confirm="Deny it"
              action={deny}
            />
          </Group>
        </Group>
        {agent.conflict && (
          <StateWord tone="attention">
            Somebody else asked under the same id with another key. Check the host before you approve.
          </StateWord>
        )}
        {agent.orphaned_by && (
          <StateWord tone="attention">
            Its host asks anew under another id: this request is left over.
          </StateWord>
        )}
        <ErrorNote title={`${agent.hostname} was not approved`} error={approve.error} />
        {taken && (
          <Group>
            <ConfirmButton
              label="Approve this one and revoke the other"
              question={`Let this agent be ${agent.hostname} from now on? The agent that has the name now is revoked, and its desktops can no longer be opened.`}
              confirm="Replace it"
              action={replace}
            />
          </Group>
        )}
      </Stack>
    </Card>
  );
}
