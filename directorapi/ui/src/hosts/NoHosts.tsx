import { Alert, Anchor, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { JoinSteps } from "../agents/JoinSteps";
import { agentsQuery } from "../agents/queries";
import { count } from "../parts/words";

/** NoHosts says what is missing before a host appears. */
export function NoHosts() {
  const agents = useQuery(agentsQuery).data ?? [];
  const pending = agents.filter(({ state }) => state === "pending").length;
  if (agents.length === 0) return <JoinSteps title="No host has reported yet" />;
  return (
    <Alert color="gray" title="No host has reported yet">
      {pending > 0 ? (
        <Text size="sm">
          {count(pending, "agent")} {pending === 1 ? "waits" : "wait"} to be let in.{" "}
          <Anchor component={Link} to="/agents" size="sm">
            Compare and approve
          </Anchor>
        </Text>
      ) : (
        <Text size="sm">A host appears here half a minute after its agent was approved.</Text>
      )}
    </Alert>
  );
}
