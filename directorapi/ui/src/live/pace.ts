import type { QueryClient, QueryKey } from "@tanstack/react-query";

const shortest = 1_000; // milliseconds between two rounds
const longest = 10_000;
const share = 4; // a list that takes 2 s to fetch is fetched every 8 s

/**
 * A Pace asks again for what has become old, all that is named in a while at
 * once, and the slower the longer the answers take: a fleet of ten thousand
 * reports hundreds of times a second.
 */
export class Pace {
  private readonly old = new Map<string, QueryKey>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private busy = false;
  private free = 0; // when the next round may begin, milliseconds since the epoch

  constructor(private readonly client: QueryClient) {}

  /** add names queries that are old by the beginning of their keys. */
  add(...keys: QueryKey[]): void {
    for (const key of keys) this.old.set(JSON.stringify(key), key);
    this.plan();
  }

  /** rush is add without the wait that the rounds before have earned. */
  rush(...keys: QueryKey[]): void {
    this.free = 0;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.add(...keys);
  }

  /** stop ends all asking. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.old.clear();
  }

  private plan(): void {
    if (this.busy || this.timer !== undefined || this.old.size === 0) return;
    this.timer = setTimeout(() => void this.round(), Math.max(0, this.free - Date.now()));
  }

  private async round(): Promise<void> {
    this.timer = undefined;
    this.busy = true;
    const keys = [...this.old.values()];
    this.old.clear();
    const began = Date.now();
    await Promise.all(keys.map((queryKey) => this.client.invalidateQueries({ queryKey })));
    this.busy = false;
    const took = Date.now() - began; // the whole of an outage, if one came between
    this.free = Date.now() + Math.min(Math.max(shortest, share * took), longest);
    this.plan();
  }
}
