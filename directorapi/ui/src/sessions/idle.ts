import type { Session } from "../api/client";

/**
 * idleOf is for how many milliseconds nobody has been connected: since the last
 * client left, or since the session began when there was none. It is undefined
 * while somebody is connected and when the host does not say.
 */
export function idleOf(session: Session, now: number): number | undefined {
  if (session["num-of-connections"] > 0) return undefined;
  const since = session["last-disconnection-time"] ?? session["creation-time"];
  return since ? Math.max(0, now - Date.parse(since)) : undefined;
}
