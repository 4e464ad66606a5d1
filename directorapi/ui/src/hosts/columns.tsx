import type { Server } from "../api/client";
import { Meter } from "../parts/Meter";
import { StateWord } from "../parts/StateWord";
import { ago, exact, gibibytes } from "../parts/words";
import type { Column } from "../table/DataTable";
import { gpuUsed, memoryUsed, stateOf, urgency } from "./state";

/** hostColumns are the figures of a host. */
export function hostColumns(now: number): Column<Server>[] {
  return [
    {
      id: "state",
      label: "State",
      width: 196,
      by: (host) => urgency[stateOf(host, now).code],
      cell: (host) => <HostStateWord host={host} now={now} />,
    },
    { id: "name", label: "Name", main: true, by: (host) => host.hostname, cell: (host) => host.hostname },
    {
      id: "sessions",
      label: "Sessions",
      width: 90,
      number: true,
      from: "phone",
      by: (host) => host.sessions.length,
      cell: (host) => host.sessions.length,
    },
    {
      id: "cpu",
      label: "CPU",
      width: 84,
      number: true,
      from: "phone",
      by: (host) => host.cpu_usage,
      cell: (host) => <Meter percent={host.cpu_usage} />,
    },
    {
      id: "memory",
      label: "Memory",
      width: 88,
      number: true,
      from: "phone",
      by: memoryUsed,
      cell: (host) => (
        <Meter
          percent={memoryUsed(host)}
          title={`${gibibytes(host.total_memory - host.free_memory)} of ${gibibytes(host.total_memory)}`}
        />
      ),
    },
    {
      id: "gpu",
      label: "GPU",
      width: 84,
      number: true,
      from: "tablet",
      by: (host) => gpuUsed(host) ?? -1,
      cell: (host) => <GPUMeter host={host} />,
    },
    {
      id: "load",
      label: "Load",
      width: 76,
      number: true,
      from: "tablet",
      by: (host) => host.load1,
      cell: (host) => (
        <span
          title={`${figures(host)}: average of the last 1, 5 and 15 minutes on ${String(host.cores)} cores`}
        >
          {host.load1.toFixed(2)}
        </span>
      ),
    },
    {
      id: "tags",
      label: "Tags",
      width: 150,
      from: "wide",
      by: (host) => host.tags.join(" "),
      cell: (host) => <span title={host.tags.join(", ")}>{host.tags.join(", ")}</span>,
    },
    {
      id: "version",
      label: "Agent",
      width: 92,
      from: "wide",
      by: (host) => host.version ?? "",
      cell: (host) => host.version ?? "not said",
    },
    {
      id: "seen",
      label: "Last report",
      width: 128,
      from: "tablet",
      by: (host) => -Date.parse(host["last-seen"] ?? "1970-01-01"),
      cell: (host) => <span title={exact(host["last-seen"])}>{ago(host["last-seen"], now)}</span>,
    },
  ];
}

/** HostStateWord is how a host is; all that is wrong with it shows on hover. */
export function HostStateWord({ host, now }: { host: Server; now: number }) {
  const { tone, words } = stateOf(host, now);
  const all = host.problems?.length ? host.problems.join(" ") : words;
  return (
    <StateWord tone={tone} title={all}>
      {words}
    </StateWord>
  );
}

function GPUMeter({ host }: { host: Server }) {
  const used = gpuUsed(host);
  if (used === undefined) return <span className="chart-quiet">none</span>;
  return <Meter percent={used} title={host.gpus?.map(({ model }) => model).join(", ") ?? ""} />;
}

function figures(host: Server): string {
  return [host.load1, host.load5, host.load15].map((load) => load.toFixed(2)).join(" · ");
}
