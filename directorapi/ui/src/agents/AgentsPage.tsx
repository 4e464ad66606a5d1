import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import type { Agent } from "../api/client";
import { FilterChoice, Filters, FilterText, matches } from "../app/Filters";
import { ListState } from "../app/ListState";
import { Page } from "../app/Page";
import { useView, type View } from "../app/useView";
import { StateWord } from "../parts/StateWord";
import { useNow } from "../parts/clock";
import { DataTable } from "../table/DataTable";
import { parseSort, writeSort } from "../table/sort";
import { AgentPanel } from "./AgentPanel";
import { agentColumns } from "./columns";
import { Denials } from "./Denials";
import { JoinSteps } from "./JoinSteps";
import { PendingAgents } from "./PendingAgents";
import { agentsQuery } from "./queries";
import { decidedStates } from "./state";

/** AgentsPage shows who asks to join, and below it who has. */
export function AgentsPage() {
  const agents = useQuery(agentsQuery);
  const view = useView();
  const open = view.get("open");
  return (
    <Page title="Agents">
      <ListState of="agents" query={agents} empty={<JoinSteps title="No agent has asked to join yet" />}>
        {(all) => <Agents all={all} view={view} />}
      </ListState>
      <Denials />
      <AgentPanel
        guid={agents.isPending ? "" : open}
        agent={agents.data?.find(({ guid }) => guid === open)}
        onClose={() => {
          view.set({ open: "" });
        }}
      />
    </Page>
  );
}

function Agents({ all, view }: { all: readonly Agent[]; view: View }) {
  const pending = all
    .filter(({ state }) => state === "pending")
    .toSorted((a, b) => a.hostname.localeCompare(b.hostname) || a.guid.localeCompare(b.guid));
  const decided = all.length - pending.length;
  return (
    <>
      {pending.length > 0 ? (
        <PendingAgents agents={pending} />
      ) : (
        <StateWord tone="ready">No agent waits for approval.</StateWord>
      )}
      {decided > 0 && <Decided all={all} view={view} />}
    </>
  );
}

function Decided({ all, view }: { all: readonly Agent[]; view: View }) {
  const now = useNow(5_000);
  const [filter, state] = [view.get("filter"), view.get("state")];
  const rows = useMemo(
    () =>
      all.filter(
        (agent) =>
          agent.state !== "pending" &&
          (state === "" || agent.state === state) &&
          matches(
            filter,
            agent.hostname,
            agent.guid,
            agent.fingerprint,
            ...agent.tags,
            ...(agent.aliases ?? []),
          ),
      ),
    [all, filter, state],
  );
  const columns = useMemo(() => agentColumns(now), [now]);
  return (
    <>
      <Filters>
        <FilterText view={view} label="Filter by name, key or id" />
        <FilterChoice view={view} name="state" label="Any state" choices={decidedStates} />
      </Filters>
      <DataTable
        label="Agents"
        noun="agent"
        rows={rows}
        columns={columns}
        keyOf={({ guid }) => guid}
        nameOf={({ hostname }) => hostname}
        href={({ guid }) => view.href({ open: guid })}
        sort={parseSort(view.get("sort"), { column: "name", down: false })}
        onSort={(sort) => {
          view.set({ sort: writeSort(sort) });
        }}
        empty="No agent is like that. Change the filter to see the others."
      />
    </>
  );
}
