import { Alert, Button, Group, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useDeferredValue, useMemo } from "react";

import { FilterChoice, Filters, FilterText } from "../app/Filters";
import { Loading } from "../app/ListState";
import { Page } from "../app/Page";
import { useView, type View } from "../app/useView";
import { ErrorNote } from "../parts/ErrorNote";
import { DataTable } from "../table/DataTable";
import { parseSort, writeSort } from "../table/sort";
import { auditColumns } from "./columns";
import { Export } from "./Export";
import { type AuditFilter, auditQuery } from "./queries";
import { type Entry, entriesOf } from "./entries";
import { RecordPanel } from "./RecordPanel";

/** AuditPage shows who did what, the newest first. */
export function AuditPage() {
  const view = useView();
  const filter = useDeferredValue(useAuditFilter(view));
  const audit = useInfiniteQuery(auditQuery(filter));
  const entries = useMemo(() => entriesOf(audit.data?.pages ?? []), [audit.data]);
  const filtered = Object.values(filter).some((value) => value !== "");
  return (
    <Page title="Audit" aside={<Export filter={filter} />}>
      <Filters>
        <FilterText view={view} name="text" label="Search the audit" />
        <FilterText view={view} name="actor" label="Who" />
        <FilterText view={view} name="action" label="Action" />
        <FilterText view={view} name="target" label="Target" />
        <FilterChoice view={view} name="outcome" label="Any outcome" choices={outcomes} />
        <FilterText view={view} name="since" label="From" type="date" />
        <FilterText view={view} name="until" label="Until" type="date" />
      </Filters>
      <ErrorNote title="Cannot read the audit" error={audit.error} />
      {audit.isPending && <Loading of="audit" />}
      {audit.data && entries.length === 0 && !filtered && <NoRecords />}
      {audit.data && (entries.length > 0 || filtered) && <Records entries={entries} view={view} />}
      {audit.hasNextPage && (
        <Group justify="center">
          <Button
            variant="default"
            size="compact-sm"
            loading={audit.isFetchingNextPage}
            onClick={() => {
              void audit.fetchNextPage();
            }}
          >
            Earlier records
          </Button>
        </Group>
      )}
      <RecordPanel
        entry={entries.find(({ key }) => key === view.get("open"))}
        onClose={() => {
          view.set({ open: "" });
        }}
      />
    </Page>
  );
}

function Records({ entries, view }: { entries: readonly Entry[]; view: View }) {
  return (
    <DataTable
      label="Audit"
      noun="record"
      rows={entries}
      columns={auditColumns}
      keyOf={({ key }) => key}
      nameOf={({ record }) => `${record.action}, ${record.time ?? ""}`}
      href={({ key }) => view.href({ open: key })}
      sort={parseSort(view.get("sort"), { column: "time", down: true })}
      onSort={(sort) => {
        view.set({ sort: writeSort(sort) });
      }}
      empty="No record is like that. Change the filter to see the others."
    />
  );
}

function NoRecords() {
  return (
    <Alert color="gray" title="Nothing is on record yet">
      <Text size="sm">
        What people, admins and agents do from now on is written here, and kept as the director says.
      </Text>
    </Alert>
  );
}

const outcomes = { ok: "ok", refused: "refused", failed: "failed", challenged: "challenged" };

function useAuditFilter(view: View): AuditFilter {
  const [text, actor, action, outcome, target, since, until] = [
    "text",
    "actor",
    "action",
    "outcome",
    "target",
    "since",
    "until",
  ].map(view.get) as [string, string, string, string, string, string, string];
  return useMemo(
    () => ({ text, actor, action, outcome, target, since: startOf(since, 0), before: startOf(until, 1) }),
    [text, actor, action, outcome, target, since, until],
  );
}

// The moment at which a day begins here, or the day after it.
function startOf(day: string, after: 0 | 1): string {
  if (day === "") return "";
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  return new Date(year, month - 1, date + after).toISOString();
}
