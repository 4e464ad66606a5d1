import { Anchor, Text } from "@mantine/core";
import { Link } from "react-router";

import { Ago } from "../parts/Ago";
import { Fingerprint } from "../parts/Fingerprint";
import { type Tone } from "../parts/StateWord";
import { Act } from "./Act";
import type { Attention, Overview } from "./queries";

const tones = { critical: "broken", warning: "attention", notice: "working" } satisfies Record<
  Attention["severity"],
  Tone
>;
const severities = { critical: "Broken", warning: "Needs you", notice: "Notice" } satisfies Record<
  Attention["severity"],
  string
>;

/** AttentionList is what needs a person, the most pressing first, each with the acts that settle it. */
export function AttentionList({ overview }: { overview: Overview }) {
  const hidden = overview.attentionTotal - overview.attention.length;
  return (
    <section aria-label="What needs you">
      <ul className="attention">
        {overview.attention.map((one) => (
          <Line key={[one.kind, one.guid, one.serverId, one.poolId, one.text].join(" ")} one={one} />
        ))}
      </ul>
      {hidden > 0 && (
        <Text size="sm" c="dimmed" mt="xs">
          And {hidden.toLocaleString("en-GB")} more. Settle these first.
        </Text>
      )}
    </section>
  );
}

function Line({ one }: { one: Attention }) {
  return (
    <li className="attention-line">
      <span
        className={`dot dot-${tones[one.severity]} attention-dot`}
        role="img"
        aria-label={severities[one.severity]}
      />
      <div className="attention-text">
        <span className="name">{one.text}</span>
        {one.since && (
          <Text component="span" size="sm" c="dimmed" ml="sm">
            <Ago at={one.since} />
          </Text>
        )}
        {one.fingerprint && <Fingerprint of={one.fingerprint} className="attention-key" />}
      </div>
      <div className="attention-acts">
        {one.acts.map((act) => (
          <Act key={act} act={act} of={one} />
        ))}
        {one.acts.length === 0 && one.serverId && (
          <Anchor component={Link} size="sm" to={`/hosts?open=${encodeURIComponent(one.serverId)}`}>
            Details
          </Anchor>
        )}
      </div>
    </li>
  );
}
