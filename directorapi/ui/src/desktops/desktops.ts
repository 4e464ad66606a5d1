import type { Session } from "../api/client";

/** A Desktop is a name that the caller may ask for, and what runs under it. */
export interface Desktop {
  name: string;
  sessions: Session[]; // the caller's, oldest first
}

/** allowCustom is the name in a policy that lets its user name any host. */
export const allowCustom = "ALLOW_CUSTOM";

/**
 * desktopsOf puts the caller's sessions under the names of the policy, in its
 * order. Sessions on hosts that it does not name follow under the host's own
 * name, so that they can be found and closed.
 */
export function desktopsOf(names: readonly string[], sessions: readonly Session[]): Desktop[] {
  const desktops = names
    .filter((name) => name !== allowCustom)
    .map((name): Desktop => ({ name, sessions: [] }));
  const oldestFirst = sessions.toSorted((a, b) =>
    (a["creation-time"] ?? "").localeCompare(b["creation-time"] ?? ""),
  );
  for (const session of oldestFirst) {
    const host = session.server_id ?? "";
    const desktop =
      desktops.find(({ name }) => same(name, host)) ??
      desktops.find(({ name }) => sameFirstLabel(name, host));
    if (desktop) desktop.sessions.push(session);
    else desktops.push({ name: host, sessions: [session] });
  }
  return desktops;
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

// As the director reads policies: ws1 and ws1.lab.example are one host, but
// ws1.lab.example and ws1.other.example are two.
function sameFirstLabel(a: string, b: string): boolean {
  const [labelA = "", ...restA] = a.split(".");
  const [labelB = "", ...restB] = b.split(".");
  return same(labelA, labelB) && (restA.length === 0 || restB.length === 0);
}
