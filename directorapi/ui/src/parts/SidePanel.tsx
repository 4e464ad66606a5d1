import { Drawer, Stack } from "@mantine/core";
import type { ReactNode } from "react";

/** SidePanel shows one thing of a list beside the list. Escape closes it. */
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
    <Drawer
      opened={title !== ""}
      onClose={onClose}
      position="right"
      size={480}
      title={<span className="name panel-title">{title}</span>}
      overlayProps={{ backgroundOpacity: 0.25 }}
      transitionProps={{ duration: 120 }}
      closeButtonProps={{ "aria-label": "Close the panel" }}
    >
      <Stack gap="lg">{children}</Stack>
    </Drawer>
  );
}
