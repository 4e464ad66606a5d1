import { Button, Group, Stack, Text } from "@mantine/core";
import type { UseMutationResult } from "@tanstack/react-query";

import { Dialog } from "./Dialog";
import { ErrorNote } from "./ErrorNote";

interface Confirmation {
  opened: boolean;
  onClose: () => void;
  question: string; // names what will end
  confirm: string; // of the button that does it
  action: UseMutationResult<unknown, Error, void>;
}

/** ConfirmDialog asks once before something ends, and says why if it does not. */
export function ConfirmDialog({ opened, onClose, question, confirm, action }: Confirmation) {
  return (
    <Dialog opened={opened} onClose={onClose} title={confirm}>
      <Stack>
        <Text>{question}</Text>
        <ErrorNote error={action.error} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose} data-autofocus>
            Keep it
          </Button>
          <Button
            color="red.9"
            loading={action.isPending}
            onClick={() => {
              action.mutate(undefined, { onSuccess: onClose });
            }}
          >
            {confirm}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
