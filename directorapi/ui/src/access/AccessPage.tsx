import { Alert, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import type { components } from "../api/schema.gen";
import { Page } from "../app/Page";
import { useView } from "../app/useView";
import { ErrorNote } from "../parts/ErrorNote";
import { count } from "../parts/words";
import { Ask } from "./Ask";
import { policyQuery } from "./queries";
import { UserAccess } from "./UserAccess";

/** AccessPage says who reaches what by the policy, and through which line of which file. */
export function AccessPage() {
  const policy = useQuery(policyQuery);
  const view = useView();
  const [user, groups] = [view.get("user"), view.get("groups")];
  return (
    <Page title="Access" about="who reaches what, and through which line">
      <ErrorNote title="Cannot read the policy" error={policy.error} />
      {policy.data && policy.data.problems.length > 0 && <Problems of={policy.data.problems} />}
      <Ask view={view} />
      {user !== "" && <UserAccess user={user} groups={groups} />}
    </Page>
  );
}

function Problems({ of }: { of: readonly components["schemas"]["PolicyProblem"][] }) {
  return (
    <Alert color="yellow" variant="light" title={`${count(of.length, "mistake")} in the files of the policy`}>
      <Stack gap={6} className="problems">
        {of.map((one) => (
          <Text size="sm" key={`${one.file} ${String(one.line)} ${one.problem}`} component="div">
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
