import { Group, Modal, Title } from "@mantine/core";
import type { ReactNode } from "react";

interface DialogProps {
  title: string;
  opened: boolean;
  onClose?: () => void; // absent: it cannot be put away
  size?: "sm" | "md" | "lg";
  zIndex?: number;
  children: ReactNode;
}

/**
 * Dialog is a window over the page. Its head is no landmark: the component
 * library's own would be a second banner to a screen reader.
 */
export function Dialog({ title, opened, onClose, size = "md", zIndex = 200, children }: DialogProps) {
  const stays = onClose === undefined;
  return (
    <Modal.Root
      opened={opened}
      onClose={onClose ?? (() => undefined)}
      closeOnEscape={!stays}
      closeOnClickOutside={!stays}
      size={size}
      zIndex={zIndex}
      centered
    >
      <Modal.Overlay />
      <Modal.Content aria-label={title}>
        <Group justify="space-between" wrap="nowrap" p="md" pb="xs">
          <Title order={2} size="h5" className="name">
            {title}
          </Title>
          {!stays && <Modal.CloseButton aria-label="Put this away" />}
        </Group>
        <Modal.Body>{children}</Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}
