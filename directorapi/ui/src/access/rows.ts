import type { Policy } from "./queries";

/** A Line is an entry of the policy: a user, a group or a pool. */
export interface Line {
  kind: "user" | "group" | "pool";
  name: string;
  at: string; // file and line
  hosts: number; // that it names itself, or that a pool has in all
  pools: readonly string[];
  notes: string; // what else it gives or wants
}

/** kinds are what lines can be about. */
export const kinds = { user: "Users", group: "Groups", pool: "Pools" } satisfies Record<Line["kind"], string>;

/** linesOf puts users, groups and pools into one list. */
export function linesOf({ entries, pools }: Policy): Line[] {
  return [
    ...entries.map((one) => ({
      kind: one.kind,
      name: one.name,
      at: `${one.file}:${String(one.line)}`,
      hosts: one.hosts,
      pools: one.pools ?? [],
      notes: [one.admin && "admin", one.custom && "any host"].filter(Boolean).join(", "),
    })),
    ...pools.map((one) => ({
      kind: "pool" as const,
      name: one.id,
      at: `${one.file}:${String(one.line)}`,
      hosts: one.total,
      pools: one.pools ?? [],
      notes: [one.strategy, ...(one.require ?? []).map((tag) => `needs ${tag}`)].filter(Boolean).join(", "),
    })),
  ];
}
