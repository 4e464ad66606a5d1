import type { Agent } from "../api/client";
import type { Tone } from "../parts/StateWord";

/** decidedStates are those of agents that an admin has decided about. */
export const decidedStates = { registered: "Registered", revoked: "Revoked" };

const tones = { pending: "attention", registered: "ready", revoked: "broken" } satisfies Record<
  Agent["state"],
  Tone
>;

/** stateOf says how an agent is; what somebody has to look at comes before its state. */
export function stateOf(agent: Agent): { tone: Tone; words: string; urgency: number } {
  if (agent.conflict)
    return { tone: "broken", words: `${agent.state}, another key was seen under its id`, urgency: 0 };
  if (agent.requested_hostname) {
    return { tone: "attention", words: `wants to be called ${agent.requested_hostname}`, urgency: 1 };
  }
  if (agent.orphaned_by) {
    return { tone: "attention", words: "its host asks anew under another id", urgency: 2 };
  }
  return { tone: tones[agent.state], words: agent.state, urgency: agent.state === "revoked" ? 3 : 4 };
}
