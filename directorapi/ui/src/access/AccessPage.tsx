import "./access.css";

import { Alert, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";

import { FilterChoice, Filters, FilterText, matches } from "../app/Filters";
import { Loading } from "../app/ListState";
import { Page } from "../app/Page";
import { useView, type View } from "../app/useView";
import { ErrorNote } from "../parts/ErrorNote";
import { count } from "../parts/words";
import { DataTable } from "../table/DataTable";
import { parseSort, writeSort } from "../table/sort";
import { AccessPanel, panelNames } from "./AccessPanel";
import { accessColumns } from "./columns";
import { LookUp } from "./LookUp";
import { type Policy, policyQuery } from "./queries";
import { kinds, type Line, linesOf } from "./rows";

/** AccessPage says who reaches what by the policy, and through which line of which file. */
export function AccessPage() {
  const policy = useQuery(policyQuery);
  const view = useView();
  return (
    <Page title="Access" about="who reaches what, and through which line">
      <ErrorNote title="Cannot read the policy" error={policy.error} />
      {policy.isPending && <Loading of="policy" />}
      {policy.data && <Shown of={policy.data} view={view} />}
      <AccessPanel view={view} />
    </Page>
  );
}

function Shown({ of, view }: { of: Policy; view: View }) {
  const lines = useMemo(() => linesOf(of), [of]);
  const [filter, kind] = [view.get("filter"), view.get("kind")];
  const rows = useMemo(
    () => lines.filter((line) => matches(filter, line.name, line.at) && (kind === "" || line.kind === kind)),
    [lines, filter, kind],
  );
  return (
    <>
      {of.problems.length > 0 && <Problems of={of.problems} />}
      <Filters>
        <FilterText view={view} label="Filter by name or file" />
        <FilterChoice view={view} name="kind" label="Users, groups and pools" choices={kinds} />
        <LookUp view={view} />
      </Filters>
      {lines.length === 0 ? <NoPolicy /> : <Lines rows={rows} view={view} />}
    </>
  );
}

function Lines({ rows, view }: { rows: readonly Line[]; view: View }) {
  return (
    <DataTable
      label="Lines of the policy"
      noun="line"
      rows={rows}
      columns={accessColumns}
      keyOf={({ kind, name, at }) => `${kind} ${name} ${at}`}
      nameOf={({ name }) => name}
      href={({ kind, name }) => view.href({ ...noPanel, [kind]: name })}
      sort={parseSort(view.get("sort"), { column: "name", down: false })}
      onSort={(sort) => {
        view.set({ sort: writeSort(sort) });
      }}
      empty="No line is like that. Change the filter to see the others."
    />
  );
}

const noPanel = Object.fromEntries(panelNames.map((name) => [name, ""]));

function Problems({ of }: { of: Policy["problems"] }) {
  return (
    <Alert
      color="yellow"
      variant="light"
      className="notice"
      title={`${count(of.length, "mistake")} in the files of the policy`}
    >
      <Stack gap={6} className="problems">
        {of.map((one) => (
          <Text size="sm" key={`${one.file} ${String(one.line)} ${one.entry} ${one.problem}`} component="div">
            <code>
              {one.file}:{one.line}
            </code>{" "}
            {one.entry} {one.problem}. {one.suggestion}
          </Text>
        ))}
      </Stack>
    </Alert>
  );
}

function NoPolicy() {
  return (
    <Alert color="gray" title="The policy gives nobody anything yet">
      <Text size="sm">
        Name people and their hosts in users.json, or the groups of their logins in groups.json, beside the
        director&apos;s configuration. It notices within seconds.
      </Text>
    </Alert>
  );
}
