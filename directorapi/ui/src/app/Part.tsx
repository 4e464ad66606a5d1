import { Stack, Title } from "@mantine/core";
import type { ReactNode } from "react";

/** Part is a titled part of a page or a panel. */
export function Part({ title, order = 2, children }: { title: string; order?: 2 | 3; children: ReactNode }) {
  return (
    <Stack gap="xs" component="section" aria-label={title}>
      <Title order={order} size="h5">
        {title}
      </Title>
      {children}
    </Stack>
  );
}
