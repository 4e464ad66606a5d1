import { Group, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";

interface Frame {
  title: string;
  about?: ReactNode; // a few quiet words beside the title
  aside?: ReactNode; // the page's own act
  children: ReactNode;
}

/** Page is a page of the console: its title, its act, and what it shows. */
export function Page({ title, about, aside, children }: Frame) {
  return (
    <div className="page">
      <title>{`${title} – dcvix console`}</title>
      <Group justify="space-between" wrap="nowrap" mih={36}>
        <Group gap="sm" align="baseline">
          <Title order={1} size="h3">
            {title}
          </Title>
          {about && (
            <Text size="sm" c="dimmed" component="div">
              {about}
            </Text>
          )}
        </Group>
        {aside}
      </Group>
      {children}
    </div>
  );
}
