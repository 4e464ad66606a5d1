import { Button, Group, NativeSelect, Stack, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import { useExplain } from "../access/queries";
import { Reasons } from "../access/Reasons";
import type { SessionType } from "../api/client";
import { ErrorNote } from "../parts/ErrorNote";

/** Explain says why somebody would get a desktop on a host, or why not. */
export function Explain({ server }: { server: string }) {
  const explain = useExplain();
  const [userId, setUser] = useState("");
  const [sessionType, setType] = useState<SessionType>("console");
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    explain.mutate({ userId: userId.trim(), serverId: server, sessionType });
  };
  return (
    <Stack gap="xs">
      <form onSubmit={submit}>
        <Group gap="xs" align="flex-end" wrap="nowrap">
          <TextInput
            label="For whom"
            size="sm"
            required
            withAsterisk={false}
            value={userId}
            onChange={(event) => {
              setUser(event.currentTarget.value);
            }}
          />
          <NativeSelect
            label="Session"
            size="sm"
            data={["console", "virtual"]}
            value={sessionType}
            onChange={(event) => {
              setType(event.currentTarget.value === "virtual" ? "virtual" : "console");
            }}
          />
          <Button type="submit" variant="default" size="sm" loading={explain.isPending}>
            Explain
          </Button>
        </Group>
      </form>
      <ErrorNote error={explain.error} />
      {explain.data && <Reasons of={explain.data} />}
    </Stack>
  );
}
