import { Stack, Text } from "@mantine/core";

import { StateWord } from "../parts/StateWord";
import type { Explanation } from "./queries";

/** Reasons are what the director says of every host it looked at, the chosen one first. */
export function Reasons({ of }: { of: Explanation }) {
  const hosts = of.hosts.toSorted((a, b) => Number(b.chosen ?? false) - Number(a.chosen ?? false));
  return (
    <Stack gap={6} role="status">
      <Text size="sm" fw={500}>
        {of.chosen ? `The desktop would be on ${of.chosen}` : "No host would take it"}
        {of.strategy ? `, chosen by ${of.strategy}.` : "."}
      </Text>
      {hosts.slice(0, 50).map((host) => (
        <StateWord key={host.name} tone={host.chosen ? "ready" : "off"}>
          <b className="name">{host.serverId ?? host.name}</b>: {host.reason}
        </StateWord>
      ))}
      {hosts.length > 50 && (
        <Text size="sm" c="dimmed">
          And {hosts.length - 50} more hosts.
        </Text>
      )}
    </Stack>
  );
}
