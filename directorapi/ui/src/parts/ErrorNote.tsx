import { Alert, Button, CopyButton, Group, Text } from "@mantine/core";

import { ApiError } from "../api/errors";

/**
 * ErrorNote shows what went wrong in the director's own words; what a helpdesk
 * asks for unfolds below.
 */
export function ErrorNote({ title, error }: { title?: string; error: Error | null }) {
  if (!error) return null;
  return (
    <Alert color="red" variant="light" role="alert" {...(title ? { title } : {})}>
      <Text size="sm">{error.message}</Text>
      {error instanceof ApiError && error.requestId !== "" && <Details error={error} />}
    </Alert>
  );
}

function Details({ error }: { error: ApiError }) {
  const text = `request ${error.requestId}, status ${String(error.status)}${error.code && `, ${error.code}`}`;
  return (
    <details className="details">
      <summary>Details</summary>
      <Group gap="xs" mt={4}>
        <code>{text}</code>
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Button size="compact-xs" variant="default" onClick={copy}>
              {copied ? "Copied" : "Copy"}
            </Button>
          )}
        </CopyButton>
      </Group>
    </details>
  );
}
