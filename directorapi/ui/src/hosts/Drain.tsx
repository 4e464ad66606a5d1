import { Button, Group, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { type SyntheticEvent, useState } from "react";

import type { Server } from "../api/client";
import { Dialog } from "../parts/Dialog";
import { ErrorNote } from "../parts/ErrorNote";
import { count } from "../parts/words";
import { useDrain, useUndrain } from "./queries";

/** Drain keeps new sessions from a host, or lets them in again. */
export function Drain({ host }: { host: Server }) {
  const [opened, { open, close }] = useDisclosure(false);
  const undrain = useUndrain(host.hostname);
  return (
    <>
      <Group gap="xs">
        {host.maintenance && (
          <Button
            size="compact-sm"
            loading={undrain.isPending}
            onClick={() => {
              undrain.mutate(undefined);
            }}
          >
            Let new sessions in again
          </Button>
        )}
        <Button size="compact-sm" variant="default" onClick={open}>
          {host.maintenance ? "Change the message" : "Drain"}
        </Button>
      </Group>
      <ErrorNote title={`${host.hostname} stays drained`} error={undrain.error} />
      <Dialog opened={opened} onClose={close} title={`Drain ${host.hostname}`}>
        <DrainForm
          server={host.hostname}
          message={host.maintenance?.message}
          sessions={host.sessions.length}
          onDone={close}
        />
      </Dialog>
    </>
  );
}

interface Draining {
  server: string;
  message?: string | undefined; // that it has now
  sessions?: number; // that it has now; absent: not known
  onDone: () => void;
}

/** DrainForm asks why, and drains the host. */
export function DrainForm({ server, message: old = "", sessions, onDone }: Draining) {
  const drain = useDrain(server);
  const [message, setMessage] = useState(old);
  const [end, setEnd] = useState("");
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    const until = end === "" ? "" : `until ${end.replace("T", " ")}`;
    drain.mutate([message.trim(), until].filter(Boolean).join(", "), { onSuccess: onDone });
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <Text size="sm">
          No new session starts on {server}. {stay(sessions)}
        </Text>
        <TextInput
          label="Why"
          description="People read it on their page: disk replacement"
          value={message}
          maxLength={260}
          data-autofocus
          onChange={(event) => {
            setMessage(event.currentTarget.value);
          }}
        />
        <TextInput
          label="Until, if it is known"
          description="It is told to people; the host comes back when you say so"
          type="datetime-local"
          value={end}
          onChange={(event) => {
            setEnd(event.currentTarget.value);
          }}
        />
        <ErrorNote title={`${server} was not drained`} error={drain.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onDone}>
            Leave it
          </Button>
          <Button type="submit" loading={drain.isPending}>
            Drain it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function stay(sessions: number | undefined): string {
  if (sessions === 0) return "It has none now.";
  if (sessions === undefined) return "Those that it has may be used and closed as before.";
  return `Its ${count(sessions, "session")} may be used and closed as before.`;
}
