import { Button } from "@mantine/core";

import type { Agent } from "../api/client";
import { ConfirmButton } from "../parts/ConfirmButton";
import { useDecide } from "./queries";

/** Decide shuts a registered agent out, or lets a revoked one in again. */
export function Decide({ agent, tab = 0 }: { agent: Agent; tab?: 0 | -1 }) {
  return agent.state === "revoked" ? (
    <Reactivate agent={agent} tab={tab} />
  ) : (
    <Revoke agent={agent} tab={tab} />
  );
}

function Revoke({ agent, tab }: { agent: Agent; tab: 0 | -1 }) {
  const revoke = useDecide(agent, "revoke");
  return (
    <ConfirmButton
      label="Revoke"
      tab={tab}
      question={`Revoke ${agent.hostname}? The director stops talking to it at once and nobody can open a desktop there.`}
      confirm="Revoke it"
      action={revoke}
    />
  );
}

function Reactivate({ agent, tab }: { agent: Agent; tab: 0 | -1 }) {
  const reactivate = useDecide(agent, "reactivate");
  return (
    <Button
      size="compact-sm"
      variant="default"
      tabIndex={tab}
      loading={reactivate.isPending}
      {...(reactivate.error ? { title: reactivate.error.message, color: "red" } : {})}
      onClick={() => {
        reactivate.mutate();
      }}
    >
      {reactivate.isError ? "Try again" : "Reactivate"}
    </Button>
  );
}
