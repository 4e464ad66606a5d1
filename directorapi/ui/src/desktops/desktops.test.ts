import { expect, test } from "vitest";

import { session } from "../test/director";
import { desktopsOf } from "./desktops";

const on = (server: string, id = server) => session({ id, server_id: server });
const shape = (names: string[], hosts: string[]) =>
  desktopsOf(
    names,
    hosts.map((name) => on(name)),
  ).map(({ name, sessions }) => [name, sessions.map(({ id }) => id)]);

test.each([
  {
    name: "keeps the order of the policy",
    names: ["b", "a"],
    hosts: ["a"],
    want: [
      ["b", []],
      ["a", ["a"]],
    ],
  },
  {
    name: "finds a host by its first label",
    names: ["ws1"],
    hosts: ["ws1.lab"],
    want: [["ws1", ["ws1.lab"]]],
  },
  {
    name: "finds a short name under a long one",
    names: ["ws1.lab"],
    hosts: ["ws1"],
    want: [["ws1.lab", ["ws1"]]],
  },
  { name: "ignores case", names: ["WS1"], hosts: ["ws1"], want: [["WS1", ["ws1"]]] },
  {
    name: "tells two domains apart",
    names: ["ws1.a"],
    hosts: ["ws1.b"],
    want: [
      ["ws1.a", []],
      ["ws1.b", ["ws1.b"]],
    ],
  },
  {
    name: "prefers the whole name",
    names: ["ws1", "ws1.a"],
    hosts: ["ws1.a"],
    want: [
      ["ws1", []],
      ["ws1.a", ["ws1.a"]],
    ],
  },
  { name: "shows what runs outside of the policy", names: [], hosts: ["x"], want: [["x", ["x"]]] },
  { name: "does not show the word for any host", names: ["ALLOW_CUSTOM"], hosts: [], want: [] },
])("$name", ({ names, hosts, want }) => {
  expect(shape(names, hosts)).toEqual(want);
});

test("puts the oldest session first and does not change the list it was given", () => {
  const given = [
    session({ id: "new", "creation-time": "2026-11-22T10:00:00Z" }),
    session({ id: "old", "creation-time": "2026-11-22T09:00:00Z" }),
  ];
  expect(desktopsOf(["ws1"], given)[0]?.sessions.map(({ id }) => id)).toEqual(["old", "new"]);
  expect(given[0]?.id).toBe("new");
});
