import { useSyncExternalStore } from "react";

/**
 * A StreamState is how a page hears of changes: "live" through the stream of
 * events, "lost" by asking again and again because the stream cannot be had. A
 * stream that is "opening" is about to be one of the two; "off" wants none.
 */
export type StreamState = "off" | "opening" | "live" | "lost";

let state: StreamState = "off"; // a page has one stream
const listeners = new Set<() => void>();

/** streamState says how this page hears of changes. */
export function streamState(): StreamState {
  return state;
}

/** setStreamState is for the stream alone. */
export function setStreamState(to: StreamState): void {
  state = to;
  for (const listener of listeners) listener();
}

/** useStreamState draws again when the state of the stream changes. */
export function useStreamState(): StreamState {
  return useSyncExternalStore(subscribe, streamState);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
