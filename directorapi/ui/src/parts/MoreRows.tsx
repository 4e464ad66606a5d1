import { Button, Group, Text } from "@mantine/core";

/** MoreRows says how many rows are not drawn yet and draws more of them. */
export function MoreRows({ hidden, onMore }: { hidden: number; onMore: () => void }) {
  if (hidden === 0) return null;
  return (
    <Group justify="center" p="sm">
      <Text size="sm" c="dimmed">
        {hidden.toLocaleString("en-GB")} more
      </Text>
      <Button variant="default" size="xs" onClick={onMore}>
        Show more
      </Button>
    </Group>
  );
}
