import { expect, test } from "vitest";

import { ago, clock, connected, count, exact, gibibytes, span } from "./words";

const now = Date.parse("2026-11-22T12:00:00Z");
const before = (seconds: number) => new Date(now - seconds * 1_000).toISOString();

test.each([
  [0, "0 seconds"],
  [1_000, "1 second"],
  [59_999, "59 seconds"],
  [60_000, "1 minute"],
  [3_599_999, "59 minutes"],
  [3_600_000, "1 hour"],
  [47 * 3_600_000, "47 hours"],
  [48 * 3_600_000, "2 days"],
  [-5, "0 seconds"],
])("%d ms is %s", (milliseconds, words) => {
  expect(span(milliseconds)).toBe(words);
});

test("a moment is told from now, also when the host's clock is ahead", () => {
  expect(ago(before(4), now)).toBe("just now");
  expect(ago(before(-60), now)).toBe("just now");
  expect(ago(before(240), now)).toBe("4 minutes ago");
  expect(ago(null, now)).toBe("never");
  expect(ago(undefined, now)).toBe("never");
});

test("a time of another day names the day", () => {
  expect(clock(before(60), now)).toMatch(/^\d\d:\d\d$/);
  expect(clock(before(86_400), now)).toMatch(/21 Nov/);
});

test("counts and amounts carry their nouns", () => {
  expect([0, 1, 2].map((n) => count(n, "client"))).toEqual(["no clients", "1 client", "2 clients"]);
  expect([0, 1, 2].map(connected)).toEqual([
    "Nobody is connected.",
    "1 client is connected.",
    "2 clients are connected.",
  ]);
  expect([1.5 * 2 ** 30, 64 * 2 ** 30].map(gibibytes)).toEqual(["1.5 GiB", "64 GiB"]);
  expect(exact(null)).toBeUndefined();
  expect(exact(before(0))).toContain("2026");
});
