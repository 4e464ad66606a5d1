import "./access.css";

import { Anchor, Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";

import { ErrorNote } from "../parts/ErrorNote";
import { type PolicyReach, reachQuery } from "./queries";

/** Reach says who may open a host or a pool, and through which line of which file. */
export function Reach({ what }: { what: { server: string } | { pool: string } }) {
  const reach = useQuery(reachQuery(what));
  return (
    <>
      <ErrorNote error={reach.error} />
      {reach.isPending && <Skeleton role="status" height={60} aria-label="Loading who reaches it" />}
      {reach.data && <Reachers reach={reach.data} />}
    </>
  );
}

const most = 200;

function Reachers({ reach: { by, any } }: { reach: PolicyReach }) {
  if (by.length + any.length === 0) {
    return <Text size="sm">Nobody: no line of the policy gives it to anybody.</Text>;
  }
  return (
    <>
      <List of={by} />
      {any.length > 0 && (
        <>
          <Text size="sm">Besides, these may name any registered host:</Text>
          <List of={any} />
        </>
      )}
    </>
  );
}

function List({ of }: { of: PolicyReach["by"] }) {
  if (of.length === 0) return null;
  return (
    <ul className="reached">
      {of.slice(0, most).map(({ kind, name, from }) => (
        <li key={`${kind} ${name}`}>
          <Anchor component={Link} size="sm" to={`/access?${kind}=${encodeURIComponent(name)}`}>
            {kind === "group" ? `group ${name}` : name}
          </Anchor>{" "}
          by <code>{from}</code>
        </li>
      ))}
      {of.length > most && <li>and {of.length - most} more</li>}
    </ul>
  );
}
