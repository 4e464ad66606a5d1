import { Drawer, Group, Stack, Title } from "@mantine/core";
import type { ReactNode } from "react";

/**
 * SidePanel shows one thing of a list beside the list. Escape closes it. Its head
 * is no landmark, as in Dialog.
 */
export function SidePanel({
  title,
  onClose,
  children,
}: {
  title: string; // "" closes it
  onClose: () => void;
  children: ReactNode;
}) {
  return (
    <Drawer.Root
      opened={title !== ""}
      onClose={onClose}
      position="right"
      size={480}
      transitionProps={{ duration: 120 }}
    >
      <Drawer.Overlay backgroundOpacity={0.25} />
      <Drawer.Content aria-label={title}>
        <Group justify="space-between" wrap="nowrap" p="md" pb="xs">
          <Title order={2} size="h4" className="name">
            {title}
          </Title>
          <Drawer.CloseButton aria-label="Close the panel" />
        </Group>
        <Drawer.Body>
          <Stack gap="lg">{children}</Stack>
        </Drawer.Body>
      </Drawer.Content>
    </Drawer.Root>
  );
}
