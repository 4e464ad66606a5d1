import { Alert, Button, Stack, Text } from "@mantine/core";
import { Component, type ReactNode } from "react";

/** Mishap says so when what is in it cannot be drawn, where the page would be blank otherwise. */
export class Mishap extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <Alert color="red" variant="light" role="alert" title="This page cannot be shown" m="md">
        <Stack gap="xs" align="flex-start">
          <Text size="sm">
            The mistake is ours, and nothing is lost: sessions go on. Reload the page, and tell your
            administrator if it stays so.
          </Text>
          <Button
            size="compact-sm"
            onClick={() => {
              globalThis.location.reload();
            }}
          >
            Reload the page
          </Button>
          <details className="details">
            <summary>Details</summary>
            <code>{String(error)}</code>
          </details>
        </Stack>
      </Alert>
    );
  }
}
