import { Button, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { components } from "../api/schema.gen";
import { ErrorNote } from "../parts/ErrorNote";
import { Fingerprint } from "../parts/Fingerprint";
import { useNow } from "../parts/clock";
import { ago, count, exact } from "../parts/words";
import { denialsQuery, useForgetDenial } from "./queries";

type Denial = components["schemas"]["Denial"];

/** Denials are the agents that may not ask again yet; there is nothing to see without any. */
export function Denials() {
  const denials = useQuery(denialsQuery);
  if (!denials.data || denials.data.length === 0) return null;
  return (
    <details className="details">
      <summary>{count(denials.data.length, "agent")} denied within a day</summary>
      {denials.data.slice(0, 100).map((denial) => (
        <DenialRow key={denial.guid} denial={denial} />
      ))}
    </details>
  );
}

function DenialRow({ denial }: { denial: Denial }) {
  const now = useNow(5_000);
  const forget = useForgetDenial(denial.guid);
  return (
    <>
      <Group gap="sm" mt={6}>
        <Fingerprint of={denial.fingerprint} />
        <Text size="sm" c="dimmed" title={exact(denial.denied_at)}>
          {ago(denial.denied_at, now)}
        </Text>
        <Button
          size="compact-xs"
          variant="default"
          loading={forget.isPending}
          onClick={() => {
            forget.mutate();
          }}
        >
          Let it ask again
        </Button>
      </Group>
      <ErrorNote error={forget.error} />
    </>
  );
}
