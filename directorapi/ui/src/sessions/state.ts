import type { Session } from "../api/client";

/** sessionStates are what a session can be, as the filter calls them. */
export const sessionStates = {
  connected: "Connected",
  idle: "Nobody connected",
  creating: "Starting",
  closing: "Closing",
  unknown: "Host is silent",
} as const;

/** stateCodeOf says which of them a session is. */
export function stateCodeOf(session: Session): keyof typeof sessionStates {
  switch (session.status) {
    case "creating":
    case "closing":
    case "unknown":
      return session.status;
  }
  return session["num-of-connections"] > 0 ? "connected" : "idle";
}
