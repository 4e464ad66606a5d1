import { Button, Card, Group, Stack, TextInput, Title } from "@mantine/core";
import { useState } from "react";

/**
 * CustomCard lets those whose policy allows it name any host; the host gets a
 * card of its own.
 */
export function CustomCard({ focused, onChoose }: { focused: boolean; onChoose: (host: string) => void }) {
  const [typed, setTyped] = useState("");
  return (
    <Card component="section" withBorder padding="md" aria-label="Another desktop">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onChoose(typed.trim().toLowerCase());
          setTyped("");
        }}
      >
        <Stack gap="sm">
          <Title order={2} size="h4">
            Another desktop
          </Title>
          <TextInput
            label="Name of the host"
            placeholder="ws1"
            value={typed}
            onChange={(event) => {
              setTyped(event.currentTarget.value);
            }}
            autoCapitalize="none"
            spellCheck={false}
            autoFocus={focused}
          />
          <Group>
            <Button type="submit" size="sm" variant="default" disabled={typed.trim() === ""}>
              Choose
            </Button>
          </Group>
        </Stack>
      </form>
    </Card>
  );
}
