import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { UseMutationResult } from "@tanstack/react-query";

import { ErrorNote } from "./ErrorNote";

interface Confirmation {
  label: string; // of the button that asks
  question: string; // names what will end
  confirm: string; // of the button that does it
  action: UseMutationResult<unknown, Error, void>;
  tab?: 0 | -1; // in a list only the row that has the focus is reached by Tab
}

/** ConfirmButton is an act that ends something: it asks once before it is done. */
export function ConfirmButton({ label, question, confirm, action, tab = 0 }: Confirmation) {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button
        variant="subtle"
        color="red"
        size="compact-sm"
        tabIndex={tab}
        onClick={() => {
          action.reset();
          open();
        }}
      >
        {label}
      </Button>
      {opened && (
        <Modal opened onClose={close} title={confirm} centered>
          <Stack>
            <Text>{question}</Text>
            <ErrorNote error={action.error} />
            <Group justify="flex-end">
              <Button variant="default" onClick={close} data-autofocus>
                Keep it
              </Button>
              <Button
                color="red.9"
                loading={action.isPending}
                onClick={() => {
                  action.mutate(undefined, { onSuccess: close });
                }}
              >
                {confirm}
              </Button>
            </Group>
          </Stack>
        </Modal>
      )}
    </>
  );
}
