import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { agent, problem, TestDirector } from "../test/director";
import { show } from "../test/show";
import { AgentsPage } from "./AgentsPage";

const pending = agent({
  guid: "6a1e2f0c-0000-4000-8000-000000000002",
  hostname: "cad-14",
  state: "pending",
  registered_at: null,
});
const revoked = agent({ guid: "6a1e2f0c-0000-4000-8000-000000000003", hostname: "old-9", state: "revoked" });

test("while it waits it shows the shape of what comes", () => {
  new TestDirector({ answers: { "GET /v1/admin/agents": () => new Promise(() => undefined) } });
  show(<AgentsPage />);
  expect(screen.getByLabelText("Loading the agents")).toBeVisible();
});

test("without an agent it says how to start one", async () => {
  new TestDirector();
  show(<AgentsPage />);
  expect(
    await screen.findByText(/director_host = director\.test.*systemctl restart dcvix-agent/s),
  ).toBeVisible();
});

test("a list that cannot be had is said in the director's words", async () => {
  new TestDirector({
    answers: { "GET /v1/admin/agents": () => problem(403, "forbidden", "Only admins may see agents.") },
  });
  show(<AgentsPage />);
  expect(await screen.findByText("Only admins may see agents.")).toBeVisible();
});

test("offers approval only to those who wait, with the whole key to compare", async () => {
  new TestDirector({ agents: [agent(), pending, revoked] });
  show(<AgentsPage />);

  const waiting = await screen.findByRole("article", { name: "cad-14" });
  expect(within(waiting).getByText(`SHA256 ${pending.fingerprint}`)).toBeVisible();
  expect(screen.getAllByRole("button", { name: "Approve" })).toHaveLength(1);
  expect(screen.getAllByRole("button", { name: "Deny" })).toHaveLength(1);
  expect(screen.getAllByRole("button", { name: "Revoke" })).toHaveLength(1);
  expect(screen.getAllByRole("button", { name: "Reactivate" })).toHaveLength(1);
});

test("an approved agent moves to the list", async () => {
  const director = new TestDirector({ agents: [pending] });
  const hands = show(<AgentsPage />);
  await hands.click(await screen.findByRole("button", { name: "Approve" }));

  expect(await screen.findByText("No agent waits for approval.")).toBeVisible();
  expect(screen.getByRole("link", { name: "cad-14" })).toBeVisible();
  expect(await director.bodies(`POST /v1/admin/agents/${pending.guid}/approve`)).toEqual([{}]);
});

test("a name that is taken is said, and the other is replaced only after a question", async () => {
  const director = new TestDirector({ agents: [pending] });
  const route = `POST /v1/admin/agents/${pending.guid}/approve`;
  director.answers[route] = async (request) => {
    const { replace } = (await request.clone().json()) as { replace?: boolean };
    if (!replace) return problem(409, "conflict", "cad-14 is held by AA:BB, seen 3 minutes ago.");
    director.agents = [{ ...pending, state: "registered" }];
    return new Response(null);
  };
  const hands = show(<AgentsPage />);
  await hands.click(await screen.findByRole("button", { name: "Approve" }));
  expect(await screen.findByText("cad-14 is held by AA:BB, seen 3 minutes ago.")).toBeVisible();

  await hands.click(screen.getByRole("button", { name: /revoke the other/ }));
  expect(await director.bodies(route)).toEqual([{}]);
  await hands.click(await screen.findByRole("button", { name: "Replace it" }));
  expect(await screen.findByText("No agent waits for approval.")).toBeVisible();
  expect(await director.bodies(route)).toEqual([{}, { replace: true }]);
});

test.each([
  { button: "Deny", confirm: "Deny it", of: pending, act: "deny" },
  { button: "Revoke", confirm: "Revoke it", of: agent(), act: "revoke" },
])("$button asks once and names the host", async ({ button, confirm, of, act }) => {
  const director = new TestDirector({ agents: [of] });
  const hands = show(<AgentsPage />);
  await hands.click(await screen.findByRole("button", { name: button }));
  const dialog = await screen.findByRole("dialog");
  expect(within(dialog).getByText(new RegExp(of.hostname))).toBeVisible();
  expect(await director.bodies("POST")).toEqual([]);

  await hands.click(within(dialog).getByRole("button", { name: confirm }));
  await waitFor(async () => {
    expect(await director.bodies(`POST /v1/admin/agents/${of.guid}/${act}`)).toHaveLength(1);
  });
});

test("a revoked agent comes back without a question", async () => {
  new TestDirector({ agents: [revoked] });
  const hands = show(<AgentsPage />);
  await hands.click(await screen.findByRole("button", { name: "Reactivate" }));
  expect(await screen.findByText("registered")).toBeVisible();
});

test("shows another key under the same id and the wish for another name", async () => {
  new TestDirector({
    agents: [{ ...pending, conflict: true }, agent({ hostname: "ws1", requested_hostname: "ws-one" })],
  });
  show(<AgentsPage />);
  expect(await screen.findByRole("alert")).toHaveTextContent(/Somebody else asked under the same id/);
  expect(screen.getByText("wants to be called ws-one")).toBeVisible();
});

test("shows which agents a host left behind that asks anew", async () => {
  const heir = "0f7b2c1e-5a3d-4c61-9b0f-2d1c3e4f5a6b";
  new TestDirector({
    agents: [{ ...pending, orphaned_by: heir }, agent({ hostname: "ws1", orphaned_by: heir })],
  });
  show(<AgentsPage />);
  expect(await screen.findByText(/this request is left over/)).toBeVisible();
  expect(screen.getByText("its host asks anew under another id")).toBeVisible();
});

test("a hostile host name stays text", async () => {
  const hostname = "<img src=x onerror=alert(1)>";
  new TestDirector({ agents: [{ ...pending, hostname }, agent({ hostname, version: "<b>1</b>" })] });
  show(<AgentsPage />);
  expect(await screen.findByText(`${hostname} asks to join`)).toBeVisible();
  expect(screen.getByText("<b>1</b>")).toBeVisible();
  expect(document.querySelector("img")).toBeNull();
});

test("a new name is accepted from the panel of its agent", async () => {
  const renamed = agent({ hostname: "ws1", requested_hostname: "ws-one" });
  const director = new TestDirector({ agents: [renamed] });
  const hands = show(<AgentsPage />);
  await hands.click(await screen.findByRole("link", { name: "ws1" }));
  const panel = await screen.findByRole("dialog", { name: "ws1" });
  expect(within(panel).getByText(`SHA256 ${renamed.fingerprint}`)).toBeVisible();
  await hands.click(within(panel).getByRole("button", { name: "Accept the name" }));
  await waitFor(async () => {
    expect(await director.bodies(`POST /v1/admin/agents/${renamed.guid}/approve`)).toEqual([{}]);
  });
});

test("many are approved at once, but only those that were compared", async () => {
  const second = { ...pending, guid: "6a1e2f0c-0000-4000-8000-000000000004", hostname: "cad-15" };
  const third = { ...pending, guid: "6a1e2f0c-0000-4000-8000-000000000005", hostname: "cad-16" };
  const director = new TestDirector({ agents: [pending, second, third] });
  director.answers["POST /v1/admin/agents/approve"] = () => {
    director.agents = [{ ...pending, state: "registered" }, second, third];
    return Response.json({
      results: [
        { guid: pending.guid, status: 200 },
        { guid: third.guid, status: 409, detail: "cad-16 is held by AA:BB." },
      ],
    });
  };
  const hands = show(<AgentsPage />);
  expect(await screen.findByRole("button", { name: "Approve the compared" })).toBeDisabled();
  await hands.click(screen.getByLabelText("The key of cad-14 is compared"));
  await hands.click(screen.getByLabelText("The key of cad-16 is compared"));
  await hands.click(screen.getByRole("button", { name: "Approve the 2 compared" }));
  expect(await screen.findByText("1 agent not approved: cad-16 is held by AA:BB.")).toBeVisible();
  expect(await director.bodies("POST /v1/admin/agents/approve")).toEqual([
    { guids: [pending.guid, third.guid] },
  ]);
});

test("a denied agent may be let to ask again", async () => {
  const denial = {
    guid: pending.guid,
    fingerprint: pending.fingerprint,
    denied_at: new Date().toISOString(),
  };
  const director = new TestDirector();
  director.answers["GET /v1/admin/denials"] = () => Response.json([denial]);
  director.answers[`DELETE /v1/admin/denials/${pending.guid}`] = () => new Response(null);
  const hands = show(<AgentsPage />);
  await hands.click(await screen.findByText("1 agent denied within a day"));
  await hands.click(screen.getByRole("button", { name: "Let it ask again" }));
  await waitFor(async () => {
    expect(await director.bodies("DELETE /v1/admin/denials")).toHaveLength(1);
  });
});
