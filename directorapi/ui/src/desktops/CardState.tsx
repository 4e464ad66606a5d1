import { Text } from "@mantine/core";

import type { Session } from "../api/client";
import { useClock } from "../parts/clock";
import { StateWord } from "../parts/StateWord";
import { exact } from "../parts/words";
import { sessionWords } from "../sessions/SessionState";
import { type Desktop, stateOf } from "./desktops";
import type { Step } from "./queries";

interface CardStateProps {
  desktop: Desktop;
  session: Session | undefined; // the one that the card is about
  step: Step | undefined; // of an opening that goes on
}

/** CardState says in words how a desktop is; screen readers hear when that changes. */
export function CardState({ desktop, session, step }: CardStateProps) {
  return (
    <div aria-live="polite" className="state">
      {step !== undefined ? (
        <Progress desktop={desktop} session={session} step={step} />
      ) : session ? (
        <Running desktop={desktop} session={session} />
      ) : (
        <Free desktop={desktop} />
      )}
    </div>
  );
}

// The line grows by what has been reached, so that a long wait shows where it is.
function Progress({ desktop, session, step }: CardStateProps) {
  const isStarting = session === undefined || session.status === "creating";
  const parts = [asking(desktop, isStarting)];
  if (session?.status === "creating" || (isStarting && step === "fetching")) parts.push("waiting for DCV …");
  if (step === "fetching") parts.push("ready, fetching its key …");
  return <StateWord tone="working">{parts.join(" ")}</StateWord>;
}

function asking({ kind, name }: Desktop, isStarting: boolean): string {
  if (!isStarting) return `Asking ${name} for your desktop …`;
  return kind === "pool" ? `Asking ${name} for a free host …` : `Asking ${name} to start a desktop …`;
}

function Running({ desktop, session }: { desktop: Desktop; session: Session }) {
  const { tone, words } = useSessionWords(session);
  const where = desktop.kind === "pool" && session.server_id ? `on ${session.server_id}` : "";
  const clients = session["num-of-connections"];
  const passing = session.status === "creating" || session.status === "closing";
  const who = clients === 0 ? "You are not connected." : "You are connected.";
  return (
    <>
      <StateWord tone={tone} title={exact(session["creation-time"])}>
        {words} {where}
      </StateWord>
      <Text size="sm" c="dimmed">
        {passing ? "This takes a moment." : clients > 1 ? `${String(clients)} clients are connected.` : who}
      </Text>
    </>
  );
}

function useSessionWords(session: Session) {
  const words = useClock((now) => sessionWords(session, now).words);
  return { tone: sessionWords(session, 0).tone, words };
}

function Free({ desktop }: { desktop: Desktop }) {
  const { tone, words } = stateOf(desktop);
  const reason = reasonOf(desktop);
  return (
    <>
      <StateWord tone={tone}>{words}</StateWord>
      {reason !== "" && reason !== words && (
        <Text size="sm" c="dimmed" className="name">
          {reason}
        </Text>
      )}
    </>
  );
}

// The director's sentence, but for what the words beside the dot say already.
function reasonOf({ state, detail }: Desktop): string {
  if (state === "ready" || state === "own" || state === "in-use") return "";
  const message = /^It is in maintenance(?:: (.*))?\.$/.exec(detail);
  if (!message) return detail;
  return message[1] ? `“${message[1]}”` : "";
}
