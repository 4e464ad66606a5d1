import { Button, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";

import type { Agent } from "../api/client";
import { ErrorNote } from "../parts/ErrorNote";
import { MoreRows } from "../parts/MoreRows";
import { useNow } from "../parts/clock";
import { useShown } from "../parts/useShown";
import { count } from "../parts/words";
import { PendingAgent } from "./PendingAgent";
import { useApproveMany } from "./queries";

/** PendingAgents are those that ask to join: what needs an admin. */
export function PendingAgents({ agents }: { agents: Agent[] }) {
  const now = useNow();
  const { shown, hidden, more } = useShown(agents, 50);
  const [compared, setCompared] = useState<ReadonlySet<string>>(new Set());
  const chosen = agents.filter(({ guid }) => compared.has(guid));
  return (
    <Stack gap="xs" component="section" aria-label="Waiting for approval" className="pending">
      <Group gap="sm" mih={30}>
        <Text size="sm" fw={600}>
          {count(agents.length, "agent")} {agents.length === 1 ? "asks" : "ask"} to join. Compare each key
          with what the agent printed on its host.
        </Text>
        {agents.length > 1 && <ApproveChosen chosen={chosen} />}
      </Group>
      {shown.map((agent) => (
        <PendingAgent
          key={agent.guid}
          agent={agent}
          now={now}
          {...(agents.length > 1
            ? {
                compared: compared.has(agent.guid),
                onCompared: (is: boolean) => {
                  setCompared((old) => withKey(old, agent.guid, is));
                },
              }
            : {})}
        />
      ))}
      <MoreRows hidden={hidden} onMore={more} />
    </Stack>
  );
}

function ApproveChosen({ chosen }: { chosen: readonly Agent[] }) {
  const approve = useApproveMany();
  const refused = approve.data?.results.filter(({ status }) => status !== 200) ?? [];
  return (
    <>
      <Button
        size="compact-sm"
        disabled={chosen.length === 0}
        loading={approve.isPending}
        onClick={() => {
          approve.mutate(chosen.map(({ guid }) => guid));
        }}
      >
        Approve the {chosen.length === 0 ? "compared" : `${String(chosen.length)} compared`}
      </Button>
      <ErrorNote title="They were not approved" error={approve.error} />
      {refused.length > 0 && (
        <Text size="sm" role="alert" c="red">
          {count(refused.length, "agent")} not approved: {refused[0]?.detail}
        </Text>
      )}
    </>
  );
}

function withKey(keys: ReadonlySet<string>, key: string, is: boolean): ReadonlySet<string> {
  const next = new Set(keys);
  if (is) next.add(key);
  else next.delete(key);
  return next;
}
