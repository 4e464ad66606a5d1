import { exact } from "../parts/words";
import { Facts } from "../parts/Facts";
import { SidePanel } from "../parts/SidePanel";
import { StateWord } from "../parts/StateWord";
import { toneOf } from "./columns";
import type { Entry } from "./entries";

/** RecordPanel shows all that one record says. */
export function RecordPanel({ entry, onClose }: { entry: Entry | undefined; onClose: () => void }) {
  const record = entry?.record;
  return (
    <SidePanel title={record?.action ?? ""} onClose={onClose}>
      {record && (
        <Facts
          of={{
            Time: exact(record.time),
            Outcome: <StateWord tone={toneOf(record.outcome)}>{record.outcome}</StateWord>,
            Who: record.actor,
            As: record.role,
            From: record.address,
            Target: record.target,
            Why: record.reason,
            Before: record.old,
            After: record.new,
            "How many": record.count && record.count > 1 ? String(record.count) : "",
            Request: record.requestId && <code>{record.requestId}</code>,
          }}
        />
      )}
    </SidePanel>
  );
}
