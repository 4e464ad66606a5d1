import { Alert, Button, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";

import type { Session } from "../api/client";
import { FilterChoice, Filters, FilterText, matches } from "../app/Filters";
import { ListState } from "../app/ListState";
import { Page } from "../app/Page";
import { useView, type View } from "../app/useView";
import { useNow } from "../parts/clock";
import { DataTable } from "../table/DataTable";
import { parseSort, writeSort } from "../table/sort";
import { CloseMany } from "./CloseMany";
import { sessionColumns } from "./columns";
import { CreateSession } from "./CreateSession";
import { idleOf } from "./idle";
import { keyOfSession, sessionsQuery } from "./queries";
import { SessionPanel } from "./SessionPanel";
import { sessionStates, stateCodeOf } from "./state";

/** SessionsPage shows who works where. */
export function SessionsPage() {
  const sessions = useQuery(sessionsQuery);
  const view = useView();
  const [creating, { open, close }] = useDisclosure(false);
  const shown = sessions.data?.find((session) => keyOfSession(session) === view.get("open"));
  return (
    <Page title="Sessions" aside={<Button onClick={open}>Create a session</Button>}>
      <ListState of="sessions" query={sessions} empty={<NoSessions />}>
        {(all) => <Sessions all={all} view={view} />}
      </ListState>
      <CreateSession opened={creating} onClose={close} />
      <SessionPanel
        id={sessions.isPending ? "" : view.get("open")}
        session={shown}
        onClose={() => {
          view.set({ open: "" });
        }}
      />
    </Page>
  );
}

const types = { console: "Console", virtual: "Virtual" };
const idles = {
  "15": "Idle > 15 minutes",
  "60": "Idle > 1 hour",
  "480": "Idle > 8 hours",
  "1440": "Idle > 1 day",
};

function Sessions({ all, view }: { all: readonly Session[]; view: View }) {
  const now = useNow(5_000);
  const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
  const rows = useFiltered(all, view, now);
  const columns = useMemo(() => sessionColumns(now), [now]);
  // What is ticked and no longer shown is not closed: a person sees what they end.
  const chosen = ticked.size > 0 ? rows.filter((session) => ticked.has(keyOfSession(session))) : [];
  return (
    <>
      <Filters>
        <FilterText view={view} name="owner" label="Owner" />
        <FilterText view={view} name="host" label="Host" />
        <FilterChoice view={view} name="state" label="Any state" choices={sessionStates} />
        <FilterChoice view={view} name="type" label="Any type" choices={types} />
        <FilterChoice view={view} name="idle" label="Idle or not" choices={idles} />
        <CloseMany
          sessions={chosen}
          onClosed={() => {
            setTicked(new Set());
          }}
        />
      </Filters>
      <DataTable
        label="Sessions"
        noun="session"
        rows={rows}
        columns={columns}
        keyOf={keyOfSession}
        nameOf={(session) => `${session.owner} on ${session.server_id ?? ""}`}
        href={(session) => view.href({ open: keyOfSession(session) })}
        sort={parseSort(view.get("sort"), { column: "host", down: false })}
        onSort={(sort) => {
          view.set({ sort: writeSort(sort) });
        }}
        selection={{ keys: ticked, onChange: setTicked }}
        empty="No session is like that. Change the filter to see the others."
      />
    </>
  );
}

function useFiltered(all: readonly Session[], view: View, now: number): readonly Session[] {
  const [owner, host, state, type, idle] = ["owner", "host", "state", "type", "idle"].map(view.get) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const least = idle === "" ? 0 : Number(idle) * 60_000;
  return useMemo(
    () =>
      all.filter(
        (session) =>
          matches(owner, session.owner) &&
          matches(host, session.server_id ?? "") &&
          (state === "" || stateCodeOf(session) === state) &&
          (type === "" || session.type === type) &&
          (least === 0 || (idleOf(session, now) ?? 0) > least),
      ),
    [all, owner, host, state, type, least, now],
  );
}

function NoSessions() {
  return (
    <Alert color="gray" title="Nobody has a desktop open">
      <Text size="sm">
        A session appears here as soon as somebody opens one, on the portal or with the launcher. You can also
        create one for somebody.
      </Text>
    </Alert>
  );
}
