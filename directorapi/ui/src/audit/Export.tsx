import { Button, Group } from "@mantine/core";

import { type AuditFilter, exportAddress } from "./queries";

/** Export leads to the records that the filter lets through, as files. */
export function Export({ filter }: { filter: AuditFilter }) {
  return (
    <Group gap="xs" wrap="nowrap">
      <Button component="a" href={exportAddress(filter, "csv")} download variant="default" size="compact-sm">
        Export CSV
      </Button>
      <Button
        component="a"
        href={exportAddress(filter, "jsonl")}
        download
        variant="default"
        size="compact-sm"
      >
        JSON lines
      </Button>
    </Group>
  );
}
