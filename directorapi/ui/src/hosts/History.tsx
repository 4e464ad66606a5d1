import { SimpleGrid, Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { components } from "../api/schema.gen";
import { Part } from "../app/Part";
import { Chart, type Series } from "../parts/Chart";
import { ErrorNote } from "../parts/ErrorNote";
import { historyQuery } from "./queries";

type Sample = components["schemas"]["HostSample"];

const percent = (value: number) => `${value.toFixed(0)} %`;
const whole = (value: number) => value.toFixed(0);

const figures: (Pick<Series, "label" | "write" | "top"> & { of: (sample: Sample) => number | undefined })[] =
  [
    { label: "CPU", write: percent, top: 100, of: (sample) => sample.cpu },
    { label: "Memory", write: percent, top: 100, of: (sample) => sample.memory },
    { label: "GPU", write: percent, top: 100, of: (sample) => sample.gpu },
    { label: "GPU memory", write: percent, top: 100, of: (sample) => sample.gpuMemory },
    { label: "Load", write: (value) => value.toFixed(2), of: (sample) => sample.load },
    { label: "Clients", write: whole, of: (sample) => sample.connections },
  ];

/** History is the last hour of a host as small charts. */
export function History({ server }: { server: string }) {
  const history = useQuery(historyQuery(server));
  return (
    <Part order={3} title="The last hour">
      <ErrorNote title="Its history cannot be had" error={history.error} />
      {history.isPending && <Skeleton role="status" height={170} aria-label="Loading the last hour" />}
      {history.data && <Charts samples={history.data.samples} />}
    </Part>
  );
}

function Charts({ samples }: { samples: readonly (Sample | null)[] }) {
  const shown = figures.filter(
    ({ label, of }) =>
      !label.startsWith("GPU") || samples.some((sample) => sample && of(sample) !== undefined),
  );
  return (
    <SimpleGrid cols={2} spacing="lg" verticalSpacing="sm">
      {shown.map(({ of, ...series }) => (
        <Chart
          key={series.label}
          {...series}
          over="the last hour"
          points={samples.map((sample) => (sample && of(sample)) ?? null)}
        />
      ))}
    </SimpleGrid>
  );
}
