import { Anchor, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { Part } from "../app/Part";
import { ErrorNote } from "../parts/ErrorNote";
import { StateWord } from "../parts/StateWord";
import { count } from "../parts/words";
import { accessQuery, groupsOf, type PolicyAccess } from "./queries";

/** UserAccess says what a user reaches, and through which line of which file. */
export function UserAccess({ user, groups }: { user: string; groups: string }) {
  const access = useQuery(accessQuery(user, groupsOf(groups)));
  return (
    <Part order={3} title="What they reach">
      <ErrorNote error={access.error} />
      {access.isPending && (
        <Skeleton role="status" height={160} aria-label={`Loading what ${user} reaches`} />
      )}
      {access.data && <Reached access={access.data} />}
    </Part>
  );
}

function Reached({ access }: { access: PolicyAccess }) {
  const { entries, admin, custom, hosts, pools } = access;
  if (entries.length === 0) {
    return (
      <StateWord tone="off">
        No line of the policy names {access.user} or one of these groups: they reach nothing. Add them to
        users.json, or a group of theirs to groups.json.
      </StateWord>
    );
  }
  return (
    <Stack gap="md">
      <Text size="sm">
        {access.user} counts through <Lines of={entries} />.{" "}
        {admin && (
          <>
            They are an admin by <Lines of={admin} />.{" "}
          </>
        )}
        {custom && (
          <>
            They may name any registered host by <Lines of={custom} />.
          </>
        )}
      </Text>
      {pools.map((pool) => (
        <Text key={pool.id} size="sm">
          Pool{" "}
          <Anchor component={Link} size="sm" to={`/access?pool=${encodeURIComponent(pool.id)}`}>
            {pool.id}
          </Anchor>{" "}
          with {count(pool.hosts.length, "host")}, by <code>{pool.from}</code>
        </Text>
      ))}
      <HostTable hosts={hosts} />
    </Stack>
  );
}

function HostTable({ hosts }: { hosts: PolicyAccess["hosts"] }) {
  return (
    <ul className="reached">
      {hosts.slice(0, 500).map((host) => (
        <li key={host.name}>
          <HostName host={host} /> by <code>{host.from}</code>
        </li>
      ))}
      {hosts.length > 500 && <li>and {hosts.length - 500} more</li>}
    </ul>
  );
}

function HostName({ host }: { host: PolicyAccess["hosts"][number] }) {
  const [agent, ...others] = host.agents ?? [];
  if (agent === undefined) {
    return <>{host.name} (no registered agent has this name)</>;
  }
  return (
    <Anchor component={Link} size="sm" to={`/hosts?open=${encodeURIComponent(agent)}`}>
      {host.name}
      {others.length > 0 && ` (could be ${[agent, ...others].join(" or ")})`}
    </Anchor>
  );
}

function Lines({ of }: { of: readonly string[] }) {
  return of.map((line, i) => (
    <span key={line}>
      {i > 0 && ", "}
      <code>{line}</code>
    </span>
  ));
}
