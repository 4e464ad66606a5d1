import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { agent, host, overview, problem, TestDirector } from "../test/director";
import { show } from "../test/show";
import { OverviewPage } from "./OverviewPage";
import type { Attention } from "./queries";

const pending = agent({ hostname: "cad-14", state: "pending", registered_at: null });

function needs(...attention: Attention[]) {
  return overview({ attention, attentionTotal: attention.length });
}

function attention(given: Partial<Attention> = {}): Attention {
  return {
    kind: "agent-pending",
    severity: "warning",
    text: 'Agent "cad-14" asks to join.',
    since: new Date(Date.now() - 300_000).toISOString(),
    serverId: "cad-14",
    guid: pending.guid,
    fingerprint: pending.fingerprint,
    acts: ["approve", "deny"],
    ...given,
  };
}

test("while it waits it shows the shape of what comes", () => {
  new TestDirector({ answers: { "GET /v1/admin/overview": () => new Promise(() => undefined) } });
  show(<OverviewPage />);
  expect(screen.getByLabelText("Loading the overview")).toBeVisible();
});

test("what cannot be had is said in the director's words", async () => {
  new TestDirector({
    answers: { "GET /v1/admin/overview": () => problem(500, "internal", "The store is away.") },
  });
  show(<OverviewPage />);
  expect(await screen.findByText("The store is away.")).toBeVisible();
});

test("says that all is well, and when a host reported last", async () => {
  new TestDirector();
  show(<OverviewPage />);
  expect(await screen.findByText("All well")).toBeVisible();
  expect(screen.getByText(/last report/)).toHaveTextContent("All well, last report just now");
  expect(screen.getByRole("region", { name: "Hosts" })).toHaveTextContent("22 ready");
  expect(screen.getByRole("region", { name: "Sessions" })).toHaveTextContent("31 connected");
  expect(screen.getByText("SHA256 41:BE:07")).toBeVisible();
  expect(screen.getByText("until 20 November 2036")).toBeVisible();
  expect(
    screen.getByRole("img", {
      name: "Sessions, last 24 hours over the last 24 hours: now 3, lowest 3, highest 3",
    }),
  ).toBeVisible();
});

test("a director without any agent says what to run on a host", async () => {
  new TestDirector({
    overview: overview({
      lastReportAt: null,
      agents: { pending: 0, registered: 0, revoked: 0, conflicts: 0 },
    }),
  });
  show(<OverviewPage />);
  expect(await screen.findByText("No host has joined yet")).toBeVisible();
  expect(screen.getByText(/ca_fingerprint = 41:BE:07/)).toBeVisible();
});

test("puts what needs somebody first, and a pending agent is compared and approved there", async () => {
  const director = new TestDirector({ agents: [pending], overview: needs(attention()) });
  const hands = show(<OverviewPage />);
  expect(await screen.findByText("1 needs you")).toBeVisible();
  expect(screen.queryByText("All well")).toBeNull();
  expect(screen.getByText("5 minutes ago")).toBeVisible();

  await hands.click(await screen.findByRole("button", { name: "Compare & approve" }));
  const dialog = await screen.findByRole("dialog");
  expect(within(dialog).getByText(`SHA256 ${pending.fingerprint}`)).toBeVisible();
  director.overview = overview();
  await hands.click(within(dialog).getByRole("button", { name: "Approve" }));
  expect(await screen.findByText("All well")).toBeVisible();
  expect(await director.bodies(`POST /v1/admin/agents/${pending.guid}/approve`)).toEqual([{}]);
});

test("a silent host is opened or drained from its line", async () => {
  const silent = attention({
    kind: "host-silent",
    text: "ws5 is silent.",
    serverId: "ws5",
    acts: ["open", "drain"],
  });
  const director = new TestDirector({ hosts: [host({ hostname: "ws5" })], overview: needs(silent) });
  const hands = show(<OverviewPage />);
  expect(await screen.findByRole("link", { name: "Open" })).toHaveAttribute("href", "/hosts?open=ws5");
  await hands.click(screen.getByRole("button", { name: "Drain" }));
  await hands.type(await screen.findByLabelText(/Why/), "looking at it");
  await hands.click(screen.getByRole("button", { name: "Drain it" }));
  await waitFor(async () => {
    expect(await director.bodies("POST /v1/admin/servers/ws5/drain")).toEqual([{ message: "looking at it" }]);
  });
});

test("denies and revokes only after a question, and leads to the policy and the audit", async () => {
  const one = agent({ guid: "6a1e2f0c-0000-4000-8000-000000000009", hostname: "old-9" });
  const director = new TestDirector({
    agents: [pending, one],
    overview: needs(
      attention({ acts: ["deny"] }),
      attention({ kind: "host-offline", text: "old-9 does not report.", guid: one.guid, acts: ["revoke"] }),
      attention({
        kind: "policy-problems",
        severity: "notice",
        text: "The policy has 2 mistakes.",
        acts: ["policy", "audit", "newer"],
      }),
    ),
  });
  const hands = show(<OverviewPage />);
  await hands.click(await screen.findByRole("button", { name: "Deny" }));
  await hands.click(await screen.findByRole("button", { name: "Deny it" }));
  await hands.click(await screen.findByRole("button", { name: "Revoke" }));
  expect(await director.bodies(`POST /v1/admin/agents/${one.guid}/revoke`)).toEqual([]);
  await hands.click(await screen.findByRole("button", { name: "Revoke it" }));
  await waitFor(async () => {
    expect(await director.bodies(`POST /v1/admin/agents/${one.guid}/revoke`)).toHaveLength(1);
  });
  expect(await director.bodies(`POST /v1/admin/agents/${pending.guid}/deny`)).toHaveLength(1);
  expect(screen.getByRole("link", { name: "See the files" })).toHaveAttribute("href", "/access");
  expect(screen.getByRole("link", { name: "See the audit" })).toHaveAttribute("href", "/audit");
});

test("a hostile name stays text", async () => {
  const text = "<img src=x onerror=alert(1)> is silent.";
  new TestDirector({ overview: needs(attention({ text, acts: [] })) });
  show(<OverviewPage />);
  expect(await screen.findByText(text)).toBeVisible();
  expect(document.querySelector("img")).toBeNull();
});
