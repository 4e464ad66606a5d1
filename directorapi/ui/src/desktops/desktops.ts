import type { Session, SessionType } from "../api/client";
import type { components } from "../api/schema.gen";
import type { Tone } from "../parts/StateWord";

/** A Desktop is a host or a pool that the caller may open, as the director judges it. */
export type Desktop = components["schemas"]["Desktop"];

/** Wanted is what a person asks for: a session of a type on a host or in a pool. */
export interface Wanted {
  desktop: Pick<Desktop, "kind" | "name">;
  type: SessionType;
}

/** types are the kinds of session in the order of the menus. */
export const types: readonly SessionType[] = ["console", "virtual"];

/** keyOf tells a desktop from all others: a pool and a host may have one name. */
export function keyOf({ kind, name }: Pick<Desktop, "kind" | "name">): string {
  return `${kind}/${name.toLowerCase()}`;
}

/** sessionOf returns the caller's session of a type, the oldest if there are several. */
export function sessionOf({ sessions }: Desktop, type: SessionType): Session | undefined {
  return sessions.filter((one) => one.type === type).sort(oldestFirst)[0];
}

function oldestFirst(a: Session, b: Session): number {
  return (a["creation-time"] ?? "").localeCompare(b["creation-time"] ?? "");
}

/** isOffered says whether a session of the type could be had now, new or as it runs. */
export function isOffered(desktop: Desktop, type: SessionType): boolean {
  return desktop.types.includes(type) || sessionOf(desktop, type) !== undefined;
}

/**
 * typeOf says which type the primary act is about: what was chosen here, else
 * what runs, else what was chosen before, else what can be had.
 */
export function typeOf(desktop: Desktop, chosen: SessionType | undefined, remembered: string): SessionType {
  if (chosen) return chosen;
  const runs = types.find((type) => sessionOf(desktop, type));
  if (runs) return runs;
  const before = types.find((type) => type === remembered);
  if (before && (desktop.types.length === 0 || desktop.types.includes(before))) return before;
  return types.find((type) => desktop.types.includes(type)) ?? "console";
}

/** named is a host that the caller has named without its being listed. */
export function named(host: string): Desktop {
  return {
    kind: "host",
    name: host,
    state: "named",
    detail: "You named it. Whether it is free shows when you open it.",
    types: [...types],
    sessions: [],
    hosts: 1,
    free: 0,
  };
}

// States that the director knows and this page does not are said by its sentence alone.
const states: Partial<Record<string, { tone: Tone; words: string; next: string }>> = {
  ready: { tone: "ready", words: "Ready", next: "Open it." },
  own: { tone: "ready", words: "Ready", next: "Resume your session." },
  "in-use": { tone: "inUse", words: "In use by you", next: "Resume your session, also from another device." },
  passing: { tone: "working", words: "One moment …", next: "Wait: this page shows when it is done." },
  busy: {
    tone: "inUse",
    words: "Busy",
    next: "Try later or choose another desktop. This page shows when it is free.",
  },
  maintenance: {
    tone: "attention",
    words: "In maintenance",
    next: "Choose another desktop, or ask your administrator how long it takes.",
  },
  offline: {
    tone: "broken",
    words: "Offline",
    next: "Choose another desktop, and tell your administrator if it stays so.",
  },
  starting: { tone: "working", words: "Waiting for its report …", next: "Wait half a minute." },
  unusable: { tone: "broken", words: "Cannot be used", next: "Choose another desktop meanwhile." },
  named: { tone: "off", words: "Not on your list", next: "Open it." },
};

/** stateOf says in words how a desktop is, and what to do about it. */
export function stateOf({ state, detail }: Pick<Desktop, "state" | "detail">): {
  tone: Tone;
  words: string;
  next: string;
} {
  return states[state] ?? { tone: "attention", words: detail, next: "" };
}
