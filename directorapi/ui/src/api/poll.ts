import { streamState } from "../live/state";

// The stream of events tells of what changes; a line that went dead unnoticed
// tells of nothing.
const beneathTheStream = 60_000;

/** poll asks again every so many milliseconds while no stream of events tells of changes. */
export function poll(every: number): () => number {
  return () => (streamState() === "live" ? Math.max(every, beneathTheStream) : every);
}
