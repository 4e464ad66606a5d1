import type { Agent } from "../api/client";
import { StateWord } from "../parts/StateWord";
import { ago, exact } from "../parts/words";
import type { Column } from "../table/DataTable";
import { Decide } from "./Decide";
import { stateOf } from "./state";

/** agentColumns are what tells agents apart. */
export function agentColumns(now: number): Column<Agent>[] {
  return [
    {
      id: "name",
      label: "Host",
      main: true,
      by: ({ hostname }) => hostname,
      cell: ({ hostname }) => hostname,
    },
    {
      id: "state",
      label: "State",
      by: (agent) => stateOf(agent).urgency,
      cell: (agent) => <AgentState agent={agent} />,
    },
    {
      id: "key",
      label: "Key, SHA256",
      width: 150,
      from: "tablet",
      by: ({ fingerprint }) => fingerprint,
      cell: ({ fingerprint }) => (
        <span className="fingerprint" title={`SHA256 ${fingerprint}`}>
          {short(fingerprint)}
        </span>
      ),
    },
    {
      id: "since",
      label: "Member since",
      width: 130,
      from: "wide",
      by: (agent) => agent.registered_at ?? "",
      cell: (agent) => <span title={exact(agent.registered_at)}>{ago(agent.registered_at, now)}</span>,
    },
    {
      id: "seen",
      label: "Last seen",
      width: 130,
      from: "tablet",
      by: (agent) => agent.last_seen_at ?? "",
      cell: (agent) => <span title={exact(agent.last_seen_at)}>{ago(agent.last_seen_at, now)}</span>,
    },
    {
      id: "version",
      label: "Version",
      width: 92,
      from: "wide",
      by: ({ version }) => version ?? "",
      cell: ({ version }) => version ?? "not said",
    },
    {
      id: "decide",
      label: "",
      width: 104,
      number: true,
      from: "phone",
      cell: (agent, tab) => <Decide agent={agent} tab={tab} />,
    },
  ];
}

/** AgentState is how an agent is. */
export function AgentState({ agent }: { agent: Agent }) {
  const { tone, words } = stateOf(agent);
  return (
    <StateWord tone={tone} title={words}>
      {words}
    </StateWord>
  );
}

// Enough to tell two apart in a list; the whole key shows on hover and in the panel.
function short(fingerprint: string): string {
  return fingerprint.length > 20 ? `${fingerprint.slice(0, 8)}…${fingerprint.slice(-5)}` : fingerprint;
}
