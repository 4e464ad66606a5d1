import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import type { Server } from "../api/client";
import { FilterChoice, Filters, FilterText, matches } from "../app/Filters";
import { ListState } from "../app/ListState";
import { Page } from "../app/Page";
import { useView } from "../app/useView";
import { useNow } from "../parts/clock";
import { DataTable } from "../table/DataTable";
import { parseSort, writeSort } from "../table/sort";
import { hostColumns } from "./columns";
import { HostPanel } from "./HostPanel";
import { NoHosts } from "./NoHosts";
import { hostsQuery } from "./queries";
import { hostStates, stateOf } from "./state";

/** HostsPage shows the hosts that report and how they are. */
export function HostsPage() {
  const hosts = useQuery(hostsQuery);
  const view = useView();
  const sessions = hosts.data?.reduce((sum, host) => sum + host.sessions.length, 0) ?? 0;
  return (
    <Page
      title="Hosts"
      about={
        hosts.data?.length
          ? `${sessions.toLocaleString("en-GB")} ${sessions === 1 ? "session" : "sessions"}`
          : ""
      }
    >
      <ListState of="hosts" query={hosts} empty={<NoHosts />}>
        {(all) => <Hosts all={all} />}
      </ListState>
      <HostPanel
        server={view.get("open")}
        onClose={() => {
          view.set({ open: "" });
        }}
      />
    </Page>
  );
}

function Hosts({ all }: { all: readonly Server[] }) {
  const now = useNow(5_000);
  const view = useView();
  const filter = view.get("filter");
  const state = view.get("state");
  const rows = useMemo(
    () =>
      all.filter(
        (host) =>
          matches(filter, host.hostname, host.agent_ip, ...host.tags) &&
          (state === "" || stateOf(host, now).code === state),
      ),
    [all, filter, state, now],
  );
  const columns = useMemo(() => hostColumns(now), [now]);
  return (
    <>
      <Filters>
        <FilterText view={view} label="Filter by name, address or tag" />
        <FilterChoice view={view} name="state" label="Any state" choices={hostStates} />
      </Filters>
      <DataTable
        label="Hosts"
        noun="host"
        rows={rows}
        columns={columns}
        keyOf={nameOf}
        nameOf={nameOf}
        href={(host) => view.href({ open: host.hostname })}
        sort={parseSort(view.get("sort"), { column: "name", down: false })}
        onSort={(sort) => {
          view.set({ sort: writeSort(sort) });
        }}
        empty="No host is like that. Change the filter to see the others."
      />
    </>
  );
}

function nameOf(host: Server): string {
  return host.hostname;
}
