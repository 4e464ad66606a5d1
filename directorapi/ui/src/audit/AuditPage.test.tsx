import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { problem, TestDirector } from "../test/director";
import { show } from "../test/show";
import { AuditPage } from "./AuditPage";
import { entriesOf } from "./entries";
import type { AuditRecord } from "./queries";

function record(given: Partial<AuditRecord> = {}): AuditRecord {
  return {
    time: "2026-11-22T09:12:00Z",
    action: "session.open",
    outcome: "ok",
    role: "user",
    actor: "alice",
    address: "192.0.2.1",
    requestId: "req-7",
    target: "ws1",
    ...given,
  };
}

test("while it waits it shows the shape of what comes", () => {
  new TestDirector({ answers: { "GET /v1/admin/audit": () => new Promise(() => undefined) } });
  show(<AuditPage />);
  expect(screen.getByLabelText("Loading the audit")).toBeVisible();
});

test("an audit that cannot be read is said in the director's words", async () => {
  new TestDirector({
    answers: { "GET /v1/admin/audit": () => problem(404, "not-found", "No audit is kept.") },
  });
  show(<AuditPage />);
  expect(await screen.findByText("No audit is kept.")).toBeVisible();
});

test("an empty audit says what comes into it", async () => {
  new TestDirector();
  show(<AuditPage />);
  expect(await screen.findByText("Nothing is on record yet")).toBeVisible();
});

test("shows the newest first, earlier ones on demand, and all of a record beside the list", async () => {
  const director = new TestDirector();
  director.answers["GET /v1/admin/audit"] = ({ url }) => {
    const before = new URL(url).searchParams.get("before");
    if (before === null) return Response.json({ records: [record()], next: "2026-11-22T09:00:00Z" });
    return Response.json({
      records: [record({ time: "2026-11-22T08:00:00Z", outcome: "refused", reason: "drained" })],
    });
  };
  const hands = show(<AuditPage />);
  expect(await screen.findByText("1 record")).toBeVisible();
  await hands.click(screen.getByRole("button", { name: "Earlier records" }));
  expect(await screen.findByText("2 records")).toBeVisible();
  expect(screen.queryByRole("button", { name: "Earlier records" })).toBeNull();

  const [, second] = screen.getAllByRole("rowheader");
  if (!second) throw new Error("there is no second record");
  await hands.click(within(second).getByRole("link"));
  const panel = await screen.findByRole("dialog", { name: "session.open" });
  expect(within(panel).getByText("drained")).toBeVisible();
  expect(within(panel).getByText("192.0.2.1")).toBeVisible();
});

test("the director is asked for what the filter says", async () => {
  const director = new TestDirector({ audit: [record()] });
  const hands = show(<AuditPage />, "/?since=2026-11-20");
  await screen.findByText("1 record");
  await hands.type(screen.getByLabelText("Who"), "alice");
  await waitFor(() => {
    const query = new URL(director.requests.at(-1)?.url ?? "").searchParams;
    expect(query.get("actor")).toBe("alice");
    expect(query.get("since")).toBe(new Date(2026, 10, 20).toISOString());
  });
  const file = screen.getByRole("link", { name: "Export CSV" }).getAttribute("href") ?? "";
  expect(file).toMatch(
    /^https:\/\/director\.test\/prefix\/v1\/admin\/audit\/export\?format=csv&actor=alice&since=/,
  );
});

test("records that look the same keep apart, and keep their keys when others come", () => {
  const old = entriesOf([{ records: [record(), record()] }]);
  expect(new Set(old.map(({ key }) => key)).size).toBe(2);
  const grown = entriesOf([{ records: [record({ action: "login" }), record(), record()] }]);
  expect(grown.slice(1).map(({ key }) => key)).toEqual(old.map(({ key }) => key));
});
