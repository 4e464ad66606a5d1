import { Button, Group, NativeSelect, Stack, Text, TextInput } from "@mantine/core";
import { type SyntheticEvent, useState } from "react";

import type { SessionType } from "../api/client";
import { Dialog } from "../parts/Dialog";
import { ErrorNote } from "../parts/ErrorNote";
import { useCreateSession } from "./queries";

/** CreateSession starts a desktop for somebody, on a host or in a pool. */
export function CreateSession({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Dialog opened={opened} onClose={onClose} title="Create a session for somebody">
      <Form onDone={onClose} />
    </Dialog>
  );
}

function Form({ onDone }: { onDone: () => void }) {
  const create = useCreateSession();
  const [userId, setUser] = useState("");
  const [where, setWhere] = useState("");
  const [kind, setKind] = useState<"serverId" | "poolId">("serverId");
  const [sessionType, setType] = useState<SessionType>("console");
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    create.mutate({ userId: userId.trim(), [kind]: where.trim(), sessionType }, { onSuccess: onDone });
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label="For whom"
          required
          withAsterisk={false}
          value={userId}
          data-autofocus
          onChange={(event) => {
            setUser(event.currentTarget.value);
          }}
        />
        <Group align="flex-end" wrap="nowrap">
          <NativeSelect
            label="On a"
            data={[
              { value: "serverId", label: "host" },
              { value: "poolId", label: "pool" },
            ]}
            value={kind}
            onChange={(event) => {
              setKind(event.currentTarget.value === "poolId" ? "poolId" : "serverId");
            }}
          />
          <TextInput
            label={kind === "serverId" ? "Name of the host" : "Id of the pool"}
            required
            withAsterisk={false}
            flex={1}
            value={where}
            onChange={(event) => {
              setWhere(event.currentTarget.value);
            }}
          />
        </Group>
        <NativeSelect
          label="Session"
          data={["console", "virtual"]}
          value={sessionType}
          onChange={(event) => {
            setType(event.currentTarget.value === "virtual" ? "virtual" : "console");
          }}
        />
        <ErrorNote title="No session was created" error={create.error} />
        {create.isPending && (
          <Text size="sm" role="status">
            Asking {where} to start a desktop …
          </Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Leave it
          </Button>
          <Button type="submit" loading={create.isPending}>
            Create it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
