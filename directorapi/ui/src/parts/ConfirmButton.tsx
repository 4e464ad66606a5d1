import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { UseMutationResult } from "@tanstack/react-query";

import { ConfirmDialog } from "./ConfirmDialog";

interface Confirmation {
  label: string; // of the button that asks
  question: string; // names what will end
  confirm: string; // of the button that does it
  action: UseMutationResult<unknown, Error, void>;
}

/** ConfirmButton is an act that ends something: it asks once before it is done. */
export function ConfirmButton({ label, ...dialog }: Confirmation) {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button
        variant="subtle"
        color="red"
        size="compact-sm"
        onClick={() => {
          dialog.action.reset();
          open();
        }}
      >
        {label}
      </Button>
      <ConfirmDialog {...dialog} opened={opened} onClose={close} />
    </>
  );
}
