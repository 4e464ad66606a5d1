import type { Session } from "../api/client";
import { StateWord, type Tone } from "../parts/StateWord";
import { ago, clock, exact } from "../parts/words";

/** SessionState says how a session is. */
export function SessionState({ session, now }: { session: Session; now: number }) {
  const { tone, words } = sessionWords(session, now);
  return (
    <StateWord tone={tone} title={exact(session["creation-time"])}>
      {words}
    </StateWord>
  );
}

/** sessionWords are the colour and the words of a session's state. */
export function sessionWords(session: Session, now: number): { tone: Tone; words: string } {
  const began = session["creation-time"];
  const since = began ? `Running since ${clock(began, now)}` : "Running";
  switch (session.status) {
    case "creating":
      return { tone: "working", words: "Starting …" };
    case "closing":
      return { tone: "working", words: "Closing …" };
    case "unknown":
      return { tone: "attention", words: lastWord(session["last-seen"], now) };
  }
  return { tone: session["num-of-connections"] === 0 ? "ready" : "inUse", words: since };
}

function lastWord(seen: string | null | undefined, now: number): string {
  return seen ? `Its host reported ${ago(seen, now)}` : "Its host does not report";
}
