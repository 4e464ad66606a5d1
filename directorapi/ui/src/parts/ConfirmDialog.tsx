import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import type { UseMutationResult } from "@tanstack/react-query";

import { ErrorNote } from "./ErrorNote";

interface Dialog {
  opened: boolean;
  onClose: () => void;
  question: string; // names what will end
  confirm: string; // of the button that does it
  action: UseMutationResult<unknown, Error, void>;
}

/** ConfirmDialog asks once before something ends, and says why if it does not. */
export function ConfirmDialog({ opened, onClose, question, confirm, action }: Dialog) {
  return (
    <Modal opened={opened} onClose={onClose} title={confirm} centered>
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
    </Modal>
  );
}
