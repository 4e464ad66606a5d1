import type { Server } from "../api/client";
import type { Tone } from "../parts/StateWord";
import { span } from "../parts/words";

/** A HostState is how a host is, as a person reads it. */
export interface HostState {
  code: keyof typeof hostStates;
  tone: Tone;
  words: string;
}

/** hostStates are the states in the order of how much they need somebody. */
export const hostStates = {
  silent: "Silent",
  problem: "Has a problem",
  drained: "Drained",
  "in-use": "In use",
  ready: "Ready",
} as const;

/** urgency sorts states: what needs somebody first. */
export const urgency = Object.fromEntries(Object.keys(hostStates).map((code, i) => [code, i])) as Record<
  HostState["code"],
  number
>;

// Reports come every 30 seconds unless an agent is told otherwise; two that are
// missing may be the network, four are not.
const silentAfter = 120_000;

/** stateOf says how a host is. */
export function stateOf(host: Server, now: number): HostState {
  const silence = host["last-seen"] ? now - Date.parse(host["last-seen"]) : Infinity;
  if (silence === Infinity) return { code: "silent", tone: "attention", words: "has never reported" };
  if (host.silent || silence > silentAfter) {
    return { code: "silent", tone: "attention", words: `silent for ${span(silence)}` };
  }
  const [problem] = host.problems ?? [];
  if (problem !== undefined) return { code: "problem", tone: "attention", words: problem };
  if (host.maintenance) {
    const { message } = host.maintenance;
    return { code: "drained", tone: "off", words: message === "" ? "drained" : `drained: ${message}` };
  }
  if (host.sessions.some((session) => session["num-of-connections"] > 0)) {
    return { code: "in-use", tone: "inUse", words: "in use" };
  }
  return { code: "ready", tone: "ready", words: "ready" };
}

/** memoryUsed is the share of a host's memory that is taken, in percent. */
export function memoryUsed(host: Server): number {
  return host.total_memory > 0 ? (100 * (host.total_memory - host.free_memory)) / host.total_memory : 0;
}

/** gpuUsed is the usage of the busiest graphics card in percent, undefined without one. */
export function gpuUsed(host: Server): number | undefined {
  return host.gpus?.length ? Math.max(...host.gpus.map(({ usage }) => usage)) : undefined;
}
