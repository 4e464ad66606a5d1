import { Alert, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { Server } from "../api/client";
import { ErrorNote } from "../parts/ErrorNote";
import { MoreRows } from "../parts/MoreRows";
import { StateWord, type Tone } from "../parts/StateWord";
import { useNow } from "../parts/clock";
import { useShown } from "../parts/useShown";
import { ago, exact, gibibytes, span } from "../parts/words";
import { hostsQuery } from "./queries";

/** HostsPage shows the hosts that report and how they are. */
export function HostsPage() {
  const hosts = useQuery(hostsQuery);
  return (
    <Stack>
      <Title order={1} size="h3">
        Hosts
      </Title>
      <ErrorNote title="Cannot list the hosts" error={hosts.error} />
      {hosts.isPending && <Skeleton height={180} aria-label="Loading the hosts" />}
      {hosts.data?.length === 0 && (
        <Alert color="gray" title="No host has reported yet">
          <Text size="sm">
            A host appears here half a minute after its agent was approved on the page Agents.
          </Text>
        </Alert>
      )}
      {hosts.data && hosts.data.length > 0 && <Hosts hosts={hosts.data} />}
    </Stack>
  );
}

function Hosts({ hosts }: { hosts: Server[] }) {
  const now = useNow();
  const { shown, hidden, more } = useShown(hosts.toSorted((a, b) => a.hostname.localeCompare(b.hostname)));
  return (
    <div className="table-wrap">
      <Table verticalSpacing={6} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Host</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Sessions</Table.Th>
            <Table.Th>CPU</Table.Th>
            <Table.Th>Load</Table.Th>
            <Table.Th>Memory in use</Table.Th>
            <Table.Th>Last report</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {shown.map((host) => (
            <HostRow key={host.hostname} host={host} now={now} />
          ))}
        </Table.Tbody>
      </Table>
      <MoreRows hidden={hidden} onMore={more} />
    </div>
  );
}

function HostRow({ host, now }: { host: Server; now: number }) {
  const { tone, words } = stateOf(host, now);
  return (
    <Table.Tr>
      <Table.Td className="name">{host.hostname}</Table.Td>
      <Table.Td className="wide">
        <StateWord tone={tone}>{words}</StateWord>
        {host.problems?.map((problem) => (
          <Text key={problem} size="sm">
            {problem}
          </Text>
        ))}
      </Table.Td>
      <Table.Td>{host.sessions.length}</Table.Td>
      <Table.Td>{host.cpu_usage.toFixed(0)} %</Table.Td>
      <Table.Td title="Average of the last 1, 5 and 15 minutes">
        {[host.load1, host.load5, host.load15].map((load) => load.toFixed(2)).join(" · ")}
      </Table.Td>
      <Table.Td>
        {gibibytes(host.total_memory - host.free_memory)} of {gibibytes(host.total_memory)}
      </Table.Td>
      <Table.Td title={exact(host["last-seen"])}>{ago(host["last-seen"], now)}</Table.Td>
    </Table.Tr>
  );
}

// Reports come every 30 seconds unless an agent is told otherwise; two that are
// missing may be the network, four are not.
const silentAfter = 120_000;

function stateOf(host: Server, now: number): { tone: Tone; words: string } {
  const silence = host["last-seen"] ? now - Date.parse(host["last-seen"]) : Infinity;
  if (silence === Infinity) return { tone: "attention", words: "has never reported" };
  if (silence > silentAfter) return { tone: "attention", words: `has not reported for ${span(silence)}` };
  if (host.problems && host.problems.length > 0) return { tone: "attention", words: "reports a problem" };
  if (host.sessions.some((session) => session["num-of-connections"] > 0))
    return { tone: "inUse", words: "in use" };
  return { tone: "ready", words: "ready" };
}
