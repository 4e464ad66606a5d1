import { Alert, Button, Card, Checkbox, Group, Stack, Text, Title } from "@mantine/core";

import type { Agent } from "../api/client";
import { ApiError } from "../api/errors";
import { ConfirmButton } from "../parts/ConfirmButton";
import { ErrorNote } from "../parts/ErrorNote";
import { Fingerprint } from "../parts/Fingerprint";
import { StateWord } from "../parts/StateWord";
import { ago, exact } from "../parts/words";
import { useApprove, useDecide } from "./queries";

interface Asking {
  agent: Agent;
  now: number;
  compared?: boolean;
  onCompared?: (is: boolean) => void; // absent: it is the only one, and approved by its own button
  onDone?: () => void; // it was decided
}

/** PendingAgent is one that asks to join: its name, the key to compare, and what can be decided. */
export function PendingAgent({ agent, now, compared = false, onCompared, onDone }: Asking) {
  const approve = useApprove(agent);
  const replace = useApprove(agent, true);
  const deny = useDecide(agent, "deny");
  const taken = approve.error instanceof ApiError && approve.error.status === 409;
  return (
    <Card component="article" withBorder padding="sm" aria-label={agent.hostname}>
      <Stack gap="xs">
        <Group justify="space-between" align="flex-start">
          <Stack gap={2} flex="1 1 300px" miw={0}>
            <Title order={2} size="h5" className="name">
              {agent.hostname} asks to join
            </Title>
            <Fingerprint of={agent.fingerprint} />
            <Text size="sm" c="dimmed" title={exact(agent.created_at)}>
              First asked {ago(agent.created_at, now)}
            </Text>
          </Stack>
          <Group gap="xs">
            {onCompared && (
              <Checkbox
                size="sm"
                label="Compared"
                aria-label={`The key of ${agent.hostname} is compared`}
                checked={compared}
                onChange={(event) => {
                  onCompared(event.currentTarget.checked);
                }}
              />
            )}
            <Button
              size="compact-sm"
              variant={onCompared ? "default" : "filled"}
              loading={approve.isPending}
              onClick={() => {
                approve.mutate(undefined, { onSuccess: onDone });
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
          <Alert color="red" role="alert" title="Two keys ask under one id">
            Somebody else asked under the same id with another key. Check the host before you approve.
          </Alert>
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
