import { Alert, Anchor, Group, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { Explain } from "../access/Explain";
import { Reach } from "../access/Reach";
import type { components } from "../api/schema.gen";
import { Part } from "../app/Part";
import { ErrorNote } from "../parts/ErrorNote";
import { Facts } from "../parts/Facts";
import { SidePanel } from "../parts/SidePanel";
import { useNow } from "../parts/clock";
import { ago, date, exact, gibibytes } from "../parts/words";
import { keyOfSession } from "../sessions/queries";
import { SessionState } from "../sessions/SessionState";
import { HostStateWord } from "./columns";
import { Drain } from "./Drain";
import { History } from "./History";
import { hostQuery } from "./queries";

type Detail = components["schemas"]["ServerDetail"];

/** HostPanel shows one host in full, with what can be done about it; "" is none. */
export function HostPanel({ server, onClose }: { server: string; onClose: () => void }) {
  const host = useQuery({ ...hostQuery(server), enabled: server !== "" });
  return (
    <SidePanel title={server} onClose={onClose}>
      <ErrorNote title={`Cannot show ${server}`} error={host.error} />
      {host.isPending && <Skeleton role="status" height={320} aria-label="Loading the host" />}
      {host.data && <Host host={host.data} />}
    </SidePanel>
  );
}

function Host({ host }: { host: Detail }) {
  const now = useNow(5_000);
  return (
    <>
      <Stack gap="xs">
        <HostStateWord host={host} now={now} />
        {host.problems && host.problems.length > 1 && <Problems of={host.problems} />}
        {host.maintenance && (
          <Text size="sm" c="dimmed" title={exact(host.maintenance.since)}>
            {host.maintenance.by} drained it {ago(host.maintenance.since, now)}.
          </Text>
        )}
        <Drain host={host} />
      </Stack>
      {host.reports && <History server={host.hostname} />}
      <Sessions host={host} now={now} />
      <Part order={3} title="Would it be chosen?">
        <Explain server={host.hostname} />
      </Part>
      <Part order={3} title="Who reaches it">
        <Reach what={{ server: host.hostname }} />
      </Part>
      <Part order={3} title="What it is">
        <Facts
          of={{
            Address: host.agent_ip,
            Cores: host.cores > 0 ? host.cores : "not said",
            Memory: host.total_memory > 0 ? gibibytes(host.total_memory) : "not said",
            "Graphics cards": host.gpus?.map((gpu) => `${gpu.model}, driver ${gpu.driver}`).join("; "),
            Tags: host.tags.join(", "),
            "DCV licence": licence(host),
            Agent: <AgentLink host={host} />,
            "Last report": <span title={exact(host["last-seen"])}>{ago(host["last-seen"], now)}</span>,
          }}
        />
      </Part>
    </>
  );
}

function Problems({ of }: { of: readonly string[] }) {
  return (
    <Alert color="yellow" variant="light" className="notice">
      {of.map((problem) => (
        <Text key={problem} size="sm">
          {problem}
        </Text>
      ))}
    </Alert>
  );
}

function Sessions({ host, now }: { host: Detail; now: number }) {
  return (
    <Part order={3} title="Sessions">
      {host.sessions.length === 0 && (
        <Text size="sm" c="dimmed">
          Nobody has a desktop open here.
        </Text>
      )}
      {host.sessions.map((session) => (
        <Group key={session.id} justify="space-between" wrap="nowrap">
          <Anchor
            component={Link}
            className="name"
            size="sm"
            to={`/sessions?open=${encodeURIComponent(keyOfSession({ ...session, server_id: host.hostname }))}`}
          >
            {session.owner}, {session.type}
          </Anchor>
          <SessionState session={session} now={now} />
        </Group>
      ))}
    </Part>
  );
}

function AgentLink({ host }: { host: Detail }) {
  return (
    <Anchor component={Link} size="sm" to={`/agents?open=${encodeURIComponent(host.agent.guid)}`}>
      {host.version ? `version ${host.version}` : "version not said"}, {host.agent.state}
    </Anchor>
  );
}

function licence(host: Detail): string {
  if (!host.licence) return "not known";
  const products = host.licence.products?.map(({ product, status, expires_at }) => {
    const until = expires_at ? ` until ${date(expires_at)}` : "";
    return `${product} ${status.toLowerCase()}${until}`;
  });
  return [host.licence.mode, ...(products ?? [])].filter(Boolean).join(", ");
}
