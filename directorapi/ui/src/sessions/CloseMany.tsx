import { Alert, Button, Group, List, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";

import type { Session } from "../api/client";
import { Dialog } from "../parts/Dialog";
import { connected, count } from "../parts/words";
import { keyOfSession, useCloseSessions } from "./queries";

const named = 10;

/** CloseMany ends the sessions that are ticked, after a question that names them. */
export function CloseMany({ sessions, onClosed }: { sessions: readonly Session[]; onClosed: () => void }) {
  const [opened, { open, close }] = useDisclosure(false);
  const closing = useCloseSessions();
  const failed = closing.data ?? [];
  const clients = sessions.reduce((sum, session) => sum + session["num-of-connections"], 0);
  const many = count(sessions.length, "session");
  return (
    <>
      {sessions.length > 0 && (
        <Button variant="subtle" color="red" size="sm" onClick={open}>
          Close {many}
        </Button>
      )}
      {failed.length > 0 && (
        <Alert
          color="red"
          role="alert"
          title={`${count(failed.length, "session")} could not be closed`}
          withCloseButton
          closeButtonLabel="Dismiss"
          onClose={() => {
            closing.reset();
          }}
        >
          {failed.slice(0, named).map(({ session, error }) => (
            <Text key={keyOfSession(session)} size="sm">
              {session.owner} on {session.server_id}: {error.message}
            </Text>
          ))}
        </Alert>
      )}
      <Dialog opened={opened} onClose={close} title={`Close ${many}`}>
        <Stack>
          <Text>
            Close {many}? {connected(clients)} Programs that run in them end.
          </Text>
          <List size="sm">
            {sessions.slice(0, named).map((session) => (
              <List.Item key={keyOfSession(session)}>
                {session.owner} on {session.server_id}, {session.type}
              </List.Item>
            ))}
          </List>
          {sessions.length > named && <Text size="sm">And {sessions.length - named} more.</Text>}
          <Group justify="flex-end">
            <Button variant="default" onClick={close} data-autofocus>
              Keep them
            </Button>
            <Button
              color="red.9"
              loading={closing.isPending}
              onClick={() => {
                closing.mutate(sessions, {
                  onSuccess: () => {
                    close();
                    onClosed();
                  },
                });
              }}
            >
              Close {many}
            </Button>
          </Group>
        </Stack>
      </Dialog>
    </>
  );
}
