import { Alert, Button, CopyButton, Group, Text } from "@mantine/core";

import { ApiError, isLoggedOut } from "../api/errors";

interface Note {
  title?: string;
  error: Error | null;
  next?: string; // what to do, where the director's sentence cannot know
  ofLogin?: boolean;
}

/**
 * ErrorNote shows what went wrong in the director's own words; what a helpdesk
 * asks for unfolds below. A 401 is shown only where it answers a login: elsewhere
 * the login has ended, and the form that comes over the page says so.
 */
export function ErrorNote({ title, error, next = "", ofLogin = false }: Note) {
  if (!error || (isLoggedOut(error) && !ofLogin)) return null;
  return (
    <Alert color="red" variant="light" role="alert" {...(title ? { title } : {})}>
      <Text size="sm">
        {error.message} {next}
      </Text>
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
