import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { problem, TestDirector } from "../test/director";
import { show } from "../test/show";
import { AccessPage } from "./AccessPage";

const policy = {
  problems: [
    {
      file: "users.json",
      line: 7,
      entry: 'user "bob"',
      problem: "names the pool gpuu",
      suggestion: "Did you mean gpu?",
    },
  ],
  entries: [
    { kind: "user", name: "alice", file: "users.json", line: 2, hosts: 1, pools: ["gpu"] },
    { kind: "group", name: "admins", file: "groups.json", line: 3, hosts: 0, admin: true },
  ],
  pools: [
    {
      id: "gpu",
      file: "pools.json",
      line: 4,
      hosts: ["ws1", "ws2"],
      total: 2,
      strategy: "pack",
      require: ["cuda"],
    },
  ],
};
const from = 'user "alice" (users.json:2)';

function director() {
  const one = new TestDirector();
  one.answers["GET /v1/admin/policy"] = () => Response.json(policy);
  one.answers["GET /v1/admin/policy/access"] = ({ url }) => {
    const query = new URL(url).searchParams;
    return Response.json({
      user: query.get("user"),
      groups: query.getAll("group"),
      entries: [from, ...query.getAll("group").map((name) => `group "${name}" (groups.json:3)`)],
      hosts: [
        { name: "ws1", from, agents: ["ws1.lab.example"] },
        { name: "ws9", from, agents: [] },
      ],
      pools: [{ id: "gpu", from, hosts: ["ws1", "ws2"] }],
    });
  };
  one.answers["GET /v1/admin/policy/reach"] = ({ url }) =>
    Response.json({
      name: new URL(url).search,
      by: [{ kind: "user", name: "alice", from }],
      any: [{ kind: "group", name: "admins", from: 'group "admins" (groups.json:3)' }],
    });
  return one;
}

test("while it waits it shows the shape of what comes", () => {
  new TestDirector({ answers: { "GET /v1/admin/policy": () => new Promise(() => undefined) } });
  show(<AccessPage />);
  expect(screen.getByLabelText("Loading the policy")).toBeVisible();
});

test("a policy that cannot be had is said in the director's words", async () => {
  new TestDirector({
    answers: { "GET /v1/admin/policy": () => problem(500, "internal", "The store is away.") },
  });
  show(<AccessPage />);
  expect(await screen.findByText("The store is away.")).toBeVisible();
});

test("without a line it says where to write the first", async () => {
  new TestDirector();
  show(<AccessPage />);
  expect(await screen.findByText("The policy gives nobody anything yet")).toBeVisible();
});

test("lists every line, and every mistake with its line and what to do", async () => {
  director();
  show(<AccessPage />);
  expect(await screen.findByText("1 mistake in the files of the policy")).toBeVisible();
  expect(screen.getByText("users.json:7")).toBeVisible();
  expect(screen.getByText(/names the pool gpuu\. Did you mean gpu\?/)).toBeVisible();
  expect(screen.getByText("3 lines")).toBeVisible();
  expect(screen.getByText("pack, needs cuda")).toBeVisible();
});

test("says what a user reaches and through which line, also with the groups of a login", async () => {
  const one = director();
  const hands = show(<AccessPage />);
  await hands.click(await screen.findByRole("link", { name: "alice" }));
  const panel = await screen.findByRole("dialog", { name: "alice" });
  expect(await within(panel).findByRole("link", { name: "ws1" })).toHaveAttribute(
    "href",
    "/hosts?open=ws1.lab.example",
  );
  expect(within(panel).getByText(/ws9 \(no registered agent has this name\)/)).toBeVisible();
  await hands.type(within(panel).getByLabelText(/^Groups/), "cad");
  expect(await within(panel).findByText('group "cad" (groups.json:3)')).toBeVisible();
  expect(one.requests.some(({ url }) => url.endsWith("?user=alice&group=cad"))).toBe(true);
});

test("says who reaches a pool and how its host is chosen", async () => {
  director();
  const hands = show(<AccessPage />);
  await hands.click(await screen.findByRole("link", { name: "gpu" }));
  const panel = await screen.findByRole("dialog", { name: "Pool gpu" });
  expect(within(panel).getByText("pack")).toBeVisible();
  expect(await within(panel).findByRole("link", { name: "alice" })).toBeVisible();
  expect(within(panel).getByRole("link", { name: "group admins" })).toHaveAttribute(
    "href",
    "/access?group=admins",
  );
});

test("looks up a host that the policy does not list", async () => {
  const one = director();
  const hands = show(<AccessPage />);
  await screen.findByText("3 lines");
  await hands.selectOptions(screen.getByLabelText("What to look up"), "Who reaches this host");
  await hands.type(screen.getByLabelText("Name to look up"), "ws7{Enter}");
  expect(await screen.findByRole("dialog", { name: "Host ws7" })).toBeVisible();
  expect(one.requests.some(({ url }) => url.endsWith("/reach?server=ws7"))).toBe(true);
});

test("explains a placement in a pool", async () => {
  const one = director();
  one.answers["POST /v1/admin/explain"] = () =>
    Response.json({
      strategy: "pack",
      chosen: "ws2.lab.example",
      hosts: [
        { name: "ws1", serverId: "ws1.lab.example", code: "console-taken", reason: "bob has its console." },
        { name: "ws2", serverId: "ws2.lab.example", code: "fits", reason: "It has room.", chosen: true },
      ],
    });
  const hands = show(<AccessPage />, "/?pool=gpu");
  const panel = await screen.findByRole("dialog", { name: "Pool gpu" });
  await hands.type(within(panel).getByLabelText("For whom"), "alice");
  await hands.type(within(panel).getByLabelText("Their groups"), "cad, staff{Enter}");
  expect(
    await within(panel).findByText("The desktop would be on ws2.lab.example, chosen by pack."),
  ).toBeVisible();
  expect(within(panel).getByText(/bob has its console/)).toBeVisible();
  expect(await one.bodies("POST /v1/admin/explain")).toEqual([
    { userId: "alice", groups: ["cad", "staff"], sessionType: "console", poolId: "gpu" },
  ]);
});
