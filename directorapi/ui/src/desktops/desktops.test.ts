import { expect, test } from "vitest";

import { desktop, session } from "../test/director";
import { isOffered, keyOf, named, sessionOf, typeOf } from "./desktops";

const console_ = session({ id: "c" });
const virtual = session({ id: "v", type: "virtual" });

test("the primary act is about the oldest session of its type", () => {
  const old = session({ id: "old", "creation-time": "2026-11-22T08:00:00Z" });
  const given = [console_, virtual, old];
  expect(sessionOf(desktop({ sessions: given }), "console")).toBe(old);
  expect(given[0]).toBe(console_);
});

test.each([
  { name: "what was chosen", chosen: "console", sessions: [virtual], before: "virtual", want: "console" },
  { name: "what runs", chosen: undefined, sessions: [virtual], before: "console", want: "virtual" },
  { name: "what was chosen before", chosen: undefined, sessions: [], before: "virtual", want: "virtual" },
  { name: "a console", chosen: undefined, sessions: [], before: "", want: "console" },
  { name: "no type that does not exist", chosen: undefined, sessions: [], before: "x", want: "console" },
] as const)("the type is $name", ({ chosen, sessions, before, want }) => {
  expect(typeOf(desktop({ sessions: [...sessions] }), chosen, before)).toBe(want);
});

test("the type is what can be had, even if another was chosen before", () => {
  expect(typeOf(desktop({ types: ["virtual"] }), undefined, "console")).toBe("virtual");
  expect(typeOf(desktop({ types: [] }), undefined, "virtual")).toBe("virtual");
});

test("what runs is offered where nothing new is", () => {
  const full = desktop({ types: [], sessions: [console_] });
  expect([isOffered(full, "console"), isOffered(full, "virtual")]).toEqual([true, false]);
});

test("a pool and a host of one name are two, and case makes no difference", () => {
  expect(keyOf({ kind: "pool", name: "GPU" })).not.toBe(keyOf({ kind: "host", name: "gpu" }));
  expect(keyOf({ kind: "host", name: "WS1" })).toBe(keyOf(named("ws1")));
});
