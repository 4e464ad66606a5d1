import { Anchor, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "react-router";

import { Chart } from "../parts/Chart";
import { Fingerprint } from "../parts/Fingerprint";
import { count, date, exact } from "../parts/words";
import type { Overview } from "./queries";

/** Figures are how things are when nothing needs anybody. */
export function Figures({ overview }: { overview: Overview }) {
  const { hosts, sessions, agents } = overview;
  return (
    <div className="figures">
      <Figure title="Hosts" to="/hosts" number={hosts.total}>
        {said([
          [hosts.ready, "ready"],
          [hosts.drained, "drained"],
          [hosts.silent, "silent"],
          [hosts.offline, "offline"],
          [hosts.starting, "not heard of yet"],
        ])}
      </Figure>
      <Figure title="Sessions" to="/sessions" number={sessions.total}>
        {sessions.connected.toLocaleString("en-GB")} connected
      </Figure>
      <Figure title="Agents" to="/agents" number={agents.registered}>
        {said([
          [agents.pending, "pending"],
          [agents.revoked, "revoked"],
          [agents.conflicts, "with a key conflict"],
        ])}
      </Figure>
      <section className="figure figure-wide" aria-label="Sessions, last 24 hours">
        <Chart
          label="Sessions, last 24 hours"
          over="the last 24 hours"
          points={overview.history.points.map((point) => point?.total ?? null)}
          write={(value) => value.toLocaleString("en-GB")}
        />
      </section>
      <section className="figure figure-wide" aria-label="Pools, licences and certificates">
        <Ends overview={overview} />
      </section>
    </div>
  );
}

function Figure({
  title,
  to,
  number,
  children,
}: {
  title: string;
  to: string;
  number: number;
  children: ReactNode;
}) {
  return (
    <section className="figure" aria-label={title}>
      <Title order={2} size="h6" c="dimmed">
        <Anchor component={Link} to={to} c="inherit" size="sm">
          {title}
        </Anchor>
      </Title>
      <span className="figure-number">{number.toLocaleString("en-GB")}</span>
      <Text size="sm">{children}</Text>
    </section>
  );
}

function Ends({ overview }: { overview: Overview }) {
  const { busiestPool: pool, ca, certificates, licences, policyProblems } = overview;
  return (
    <dl className="until-list">
      <dt>Busiest pool</dt>
      <dd>
        {pool ? (
          <Anchor component={Link} size="sm" to={`/access?pool=${encodeURIComponent(pool.id)}`}>
            {pool.id}: {pool.used} of {count(pool.hosts, "host")} in use, {pool.free} free
          </Anchor>
        ) : (
          "no pool has a session"
        )}
      </dd>
      <dt>Policy</dt>
      <dd>
        <Anchor component={Link} size="sm" to="/access">
          {policyProblems === 0 ? "no mistakes" : count(policyProblems, "mistake")}
        </Anchor>
      </dd>
      <dt>Licences</dt>
      <dd>{licences.length === 0 ? "none is a demo or ends within 30 days" : <Licences of={licences} />}</dd>
      <dt>Certificates</dt>
      <dd>{certificates.length === 0 ? "none ends soon" : <Certificates of={certificates} />}</dd>
      <dt>CA</dt>
      <dd>
        <Fingerprint of={ca.fingerprint ?? ""} />
        {ca.endsAt && (
          <>
            {" "}
            <Until at={ca.endsAt} />
          </>
        )}
      </dd>
      <dt>Director</dt>
      <dd>version {overview.version}</dd>
    </dl>
  );
}

const few = 5;

function Licences({ of }: { of: Overview["licences"] }) {
  return (
    <>
      {of.slice(0, few).map((licence) => (
        <div key={`${licence.serverId} ${licence.product ?? ""}`}>
          {licence.serverId}: {licence.demo ? "a demo licence" : (licence.product ?? "DCV")}
          {licence.endsAt && (
            <>
              {" "}
              <Until at={licence.endsAt} />
            </>
          )}
        </div>
      ))}
      {of.length > few && `and ${String(of.length - few)} more`}
    </>
  );
}

function Certificates({ of }: { of: Overview["certificates"] }) {
  return (
    <>
      {of.slice(0, few).map((certificate) => (
        <div key={certificate.guid ?? certificate.fingerprint}>
          {certificate.serverId ?? "the director"} until{" "}
          {certificate.endsAt && <Until at={certificate.endsAt} />}
        </div>
      ))}
      {of.length > few && `and ${String(of.length - few)} more`}
    </>
  );
}

function said(counts: [number, string][]): string {
  const some = counts.filter(([n]) => n > 0).map(([n, words]) => `${n.toLocaleString("en-GB")} ${words}`);
  return some.length > 0 ? some.join(" · ") : "none";
}

function Until({ at }: { at: string }) {
  return (
    <time dateTime={at} title={exact(at)}>
      until {date(at)}
    </time>
  );
}
