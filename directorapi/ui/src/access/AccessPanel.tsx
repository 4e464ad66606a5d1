import { Anchor, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "react-router";

import { Part } from "../app/Part";
import type { View } from "../app/useView";
import { Facts } from "../parts/Facts";
import { SidePanel } from "../parts/SidePanel";
import { Explain } from "./Explain";
import { type Policy, policyQuery } from "./queries";
import { Reach } from "./Reach";
import { UserAccess } from "./UserAccess";

/** panelNames are the things that a panel can be about, as the address calls them. */
export const panelNames = ["user", "group", "pool", "host"] as const;

/** AccessPanel shows what the address asks about: a user, a group, a pool or a host. */
export function AccessPanel({ view }: { view: View }) {
  const kind = panelNames.find((name) => view.get(name) !== "");
  const name = kind ? view.get(kind) : "";
  return (
    <SidePanel
      title={kind ? titles[kind](name) : ""}
      onClose={() => {
        view.set({ user: "", group: "", pool: "", host: "" });
      }}
    >
      {kind === "user" && <User key={name} name={name} />}
      {kind === "group" && <Group key={name} name={name} />}
      {kind === "pool" && <Pool key={name} name={name} />}
      {kind === "host" && <Host key={name} name={name} />}
    </SidePanel>
  );
}

const titles = {
  user: (name: string) => name,
  group: (name: string) => `Group ${name}`,
  pool: (name: string) => `Pool ${name}`,
  host: (name: string) => `Host ${name}`,
};

function User({ name }: { name: string }) {
  const [groups, setGroups] = useState("");
  return (
    <>
      <TextInput
        label="Groups that a login of theirs brings"
        description="With commas between; none when their logins bring none"
        value={groups}
        onChange={(event) => {
          setGroups(event.currentTarget.value);
        }}
      />
      <UserAccess user={name} groups={groups} />
      <Part order={3} title="Which host would they get?">
        <Explain user={name} groups={groups} />
      </Part>
    </>
  );
}

// Nobody is called that: a name has no space.
function Group({ name }: { name: string }) {
  return <UserAccess user={`a member of ${name}`} groups={name} />;
}

function Pool({ name }: { name: string }) {
  const policy = useQuery(policyQuery);
  const pool = policy.data?.pools.find(({ id }) => id.toLowerCase() === name.toLowerCase());
  return (
    <>
      {pool && <PoolFacts pool={pool} />}
      <Part order={3} title="Who reaches it">
        <Reach what={{ pool: name }} />
      </Part>
      <Part order={3} title="Which host would somebody get?">
        <Explain pool={name} />
      </Part>
    </>
  );
}

function PoolFacts({ pool }: { pool: Policy["pools"][number] }) {
  return (
    <Facts
      of={{
        Line: (
          <code>
            {pool.file}:{pool.line}
          </code>
        ),
        Chosen: pool.strategy ?? "as the director's configuration says",
        "Hosts must have": pool.require?.join(", "),
        Hosts: <Names of={pool.hosts} href={(host) => `/hosts?filter=${encodeURIComponent(host)}`} />,
        "Pools inside": pool.pools && (
          <Names of={pool.pools} href={(id) => `/access?pool=${encodeURIComponent(id)}`} />
        ),
        "In all": `${String(pool.total)} ${pool.total === 1 ? "host" : "hosts"}`,
      }}
    />
  );
}

const most = 100;

function Names({ of, href }: { of: readonly string[]; href: (name: string) => string }) {
  if (of.length === 0) return "none of its own";
  return (
    <>
      {of.slice(0, most).map((name, i) => (
        <span key={name}>
          {i > 0 && ", "}
          <Anchor component={Link} size="sm" to={href(name)}>
            {name}
          </Anchor>
        </span>
      ))}
      {of.length > most && ` and ${String(of.length - most)} more`}
    </>
  );
}

function Host({ name }: { name: string }) {
  return (
    <>
      <Part order={3} title="Who reaches it">
        <Reach what={{ server: name }} />
      </Part>
      <Part order={3} title="Would it be chosen?">
        <Explain server={name} />
      </Part>
      <Anchor component={Link} size="sm" to={`/hosts?open=${encodeURIComponent(name)}`}>
        See the host
      </Anchor>
    </>
  );
}
