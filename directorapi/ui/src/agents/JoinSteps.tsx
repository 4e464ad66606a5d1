import { Alert, Button, Code, CopyButton, Group, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { overviewQuery } from "../overview/queries";

/** JoinSteps are the lines to run on a host so that it asks to join this director. */
export function JoinSteps({ title }: { title: string }) {
  const fingerprint = useQuery(overviewQuery).data?.ca.fingerprint;
  const lines = joinLines(window.location.hostname, fingerprint);
  return (
    <Alert color="gray" className="notice" title={title}>
      <Text size="sm" mb="xs">
        Install the agent on each host that runs DCV, then run these lines there as root. Its agent asks here
        to be let in, with a key whose fingerprint you compare.
      </Text>
      <Code block className="join">
        {lines}
      </Code>
      <Group mt="xs">
        <CopyButton value={lines}>
          {({ copied, copy }) => (
            <Button size="compact-sm" variant="default" onClick={copy}>
              {copied ? "Copied" : "Copy the lines"}
            </Button>
          )}
        </CopyButton>
      </Group>
    </Alert>
  );
}

function joinLines(director: string, fingerprint: string | undefined): string {
  const keys = [`director_host = ${director}`, ...(fingerprint ? [`ca_fingerprint = ${fingerprint}`] : [])];
  return `printf '[agent]\\n${keys.join("\\n")}\\n' > /etc/dcvix-agent/dcvix-agent.conf\nsystemctl restart dcvix-agent`;
}
