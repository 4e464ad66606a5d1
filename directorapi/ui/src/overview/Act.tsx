import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link } from "react-router";

import { Decide } from "../agents/Decide";
import { PendingAgent } from "../agents/PendingAgent";
import { useAgent, useDecide } from "../agents/queries";
import { DrainForm } from "../hosts/Drain";
import { Dialog } from "../parts/Dialog";
import { ConfirmButton } from "../parts/ConfirmButton";
import { useNow } from "../parts/clock";
import type { Attention } from "./queries";

/** Act is a button that may settle what needs a person. An act that is not known here has none. */
export function Act({ act, of }: { act: string; of: Attention }) {
  const host = encodeURIComponent(of.serverId ?? "");
  switch (act) {
    case "approve":
      return of.guid ? <Approve guid={of.guid} /> : null;
    case "deny":
      return of.guid ? <Deny of={of} guid={of.guid} /> : null;
    case "revoke":
    case "reactivate":
      return of.guid ? <Decision guid={of.guid} /> : null;
    case "drain":
      return of.serverId ? <DrainIt server={of.serverId} /> : null;
    case "open":
      return <Lead to={`/hosts?open=${host}`} words="Open" />;
    case "policy":
      return <Lead to="/access" words="See the files" />;
    case "audit":
      return <Lead to="/audit" words="See the audit" />;
  }
  return null;
}

function Lead({ to, words }: { to: string; words: string }) {
  return (
    <Button component={Link} to={to} size="compact-sm" variant="default">
      {words}
    </Button>
  );
}

function Approve({ guid }: { guid: string }) {
  const [opened, { open, close }] = useDisclosure(false);
  const agent = useAgent(guid);
  const now = useNow(5_000);
  return (
    <>
      <Button size="compact-sm" onClick={open}>
        Compare &amp; approve
      </Button>
      <Dialog
        opened={opened}
        onClose={close}
        title="Compare the key with what the agent printed on its host"
        size="lg"
      >
        {agent && <PendingAgent agent={agent} now={now} onDone={close} />}
      </Dialog>
    </>
  );
}

function Deny({ of, guid }: { of: Attention; guid: string }) {
  const deny = useDecide({ guid }, "deny");
  return (
    <ConfirmButton
      label="Deny"
      question={`Deny ${of.serverId ?? "this agent"}? Its agent is not let in and cannot ask again for 24 hours.`}
      confirm="Deny it"
      action={deny}
    />
  );
}

function Decision({ guid }: { guid: string }) {
  const agent = useAgent(guid);
  return agent ? <Decide agent={agent} /> : null;
}

function DrainIt({ server }: { server: string }) {
  const [opened, { open, close }] = useDisclosure(false);
  return (
    <>
      <Button size="compact-sm" variant="default" onClick={open}>
        Drain
      </Button>
      <Dialog opened={opened} onClose={close} title={`Drain ${server}`}>
        <DrainForm server={server} onDone={close} />
      </Dialog>
    </>
  );
}
