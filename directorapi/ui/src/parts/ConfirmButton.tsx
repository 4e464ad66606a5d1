import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import type { UseMutationResult } from "@tanstack/react-query";

import { ConfirmDialog } from "./ConfirmDialog";

interface Confirmation {
  label: string; // of the button that asks
  question: string; // names what will end
  confirm: string; // of the button that does it
  action: UseMutationResult<unknown, Error, void>;
  tab?: 0 | -1; // in a list only the row that has the focus is reached by Tab
}

/** ConfirmButton is an act that ends something: it asks once before it is done. */
export function ConfirmButton({ label, tab = 0, ...dialog }: Confirmation) {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button
        variant="subtle"
        color="red"
        size="compact-sm"
        tabIndex={tab}
        onClick={() => {
          dialog.action.reset();
          open();
        }}
      >
        {label}
      </Button>
      {opened && <ConfirmDialog {...dialog} opened onClose={close} />}
    </>
  );
}
