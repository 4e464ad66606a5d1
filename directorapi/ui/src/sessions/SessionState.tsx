import type { Session } from "../api/client";
import { StateWord, type Tone } from "../parts/StateWord";
import { ago, clock, count, exact } from "../parts/words";

/** SessionState says how a session is; `mine` speaks to its owner. */
export function SessionState({
  session,
  now,
  mine = false,
}: {
  session: Session;
  now: number;
  mine?: boolean;
}) {
  const { tone, words } = stateOf(session, now, mine);
  return (
    <StateWord tone={tone} title={exact(session["creation-time"])}>
      {words}
    </StateWord>
  );
}

function stateOf(session: Session, now: number, mine: boolean): { tone: Tone; words: string } {
  const clients = session["num-of-connections"];
  const began = session["creation-time"];
  const since = began ? `Running since ${clock(began, now)}` : "Running";
  if (session.status === "creating") return { tone: "working", words: "Starting …" };
  if (session.status === "closing") return { tone: "working", words: "Closing …" };
  if (session.status === "unknown") {
    return { tone: "attention", words: `Its host reported ${ago(session["last-seen"], now)}` };
  }
  if (clients === 0) return { tone: "ready", words: mine ? `${since}, not connected` : since };
  return { tone: "inUse", words: mine ? `${since}, ${count(clients, "client")} connected` : since };
}
