import type { AuditRecord } from "./queries";

/** An Entry is a record with a key of its own. */
export interface Entry {
  key: string;
  record: AuditRecord;
}

/** entriesOf puts the pages of the audit into one list. Records that look the same are told apart by their order. */
export function entriesOf(pages: readonly { records: AuditRecord[] }[]): Entry[] {
  const seen = new Map<string, number>();
  return pages
    .flatMap(({ records }) => records)
    .toReversed() // so that a record keeps its number when others come before it
    .map((record) => {
      const what = [record.time, record.action, record.actor, record.target, record.requestId].join(" ");
      const n = (seen.get(what) ?? 0) + 1;
      seen.set(what, n);
      return { key: n === 1 ? what : `${what} ${String(n)}`, record };
    })
    .toReversed();
}
