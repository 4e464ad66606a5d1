import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { TestStream } from "../test/events";
import { streamState } from "./state";
import { openStream } from "./stream";

const heard: unknown[] = [];
let close: () => void = () => undefined;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(1);
  TestStream.install();
  heard.length = 0;
  close = openStream({
    resync: () => heard.push("resync"),
    changes: (changes) => heard.push(changes),
    desktops: (desktops) => heard.push(desktops),
    lost: () => heard.push("lost"),
  });
});

afterEach(() => {
  close();
  vi.useRealTimers();
});

function hide(hidden: boolean): void {
  vi.spyOn(document, "hidden", "get").mockReturnValue(hidden);
  document.dispatchEvent(new Event("visibilitychange"));
}

test("follows the events of the director that the page is from", () => {
  expect(TestStream.open().url).toBe("https://director.test/prefix/v1/events");
  expect(streamState()).toBe("opening");
  TestStream.open().say("resync");
  expect(streamState()).toBe("live");
  TestStream.open().say("changes", { servers: ["ws1"], sessions: [], agents: [] });
  TestStream.open().say("desktops", { desktops: [] });
  TestStream.open().say("weather", { rain: true });
  expect(heard).toEqual(["resync", { servers: ["ws1"], sessions: [], agents: [] }, { desktops: [] }]);
});

test("a stream that breaks off once comes back without a word", () => {
  TestStream.open().say("resync");
  TestStream.open().fail();
  expect(streamState()).toBe("opening");
  expect(heard).toEqual(["resync", "lost"]);
  vi.advanceTimersByTime(500);
  TestStream.open().say("resync");
  expect(streamState()).toBe("live");
  expect(TestStream.all).toHaveLength(2);
});

test("a stream that cannot be had is said to be lost and tried again after growing waits", () => {
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    TestStream.open().fail();
    const before = TestStream.all.length;
    let waited = 0;
    for (; TestStream.all.length === before; waited += 500) vi.advanceTimersByTime(500);
    waits.push(waited);
  }
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  expect(streamState()).toBe("lost");
  expect(heard).toEqual(["lost"]);
  TestStream.open().say("resync");
  TestStream.open().fail();
  expect(heard).toEqual(["lost", "resync", "lost"]);
});

test("a page that nobody sees has no stream", () => {
  TestStream.open().say("resync");
  hide(true);
  expect(() => TestStream.open()).toThrow("no stream");
  vi.advanceTimersByTime(60_000);
  expect(TestStream.all).toHaveLength(1);
  hide(false);
  expect(TestStream.all).toHaveLength(2);
});

test("a page that is hidden after its stream broke off waits until it is seen", () => {
  TestStream.open().fail();
  hide(true);
  vi.advanceTimersByTime(60_000);
  expect(TestStream.all).toHaveLength(1);
  hide(false);
  TestStream.open().say("resync");
  expect(streamState()).toBe("live");
});

test("ends for good", () => {
  TestStream.open().fail();
  close();
  vi.advanceTimersByTime(60_000);
  expect(TestStream.all).toHaveLength(1);
  expect(streamState()).toBe("off");
});
