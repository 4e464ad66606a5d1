import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Pace } from "./pace";

let client: QueryClient;
let pace: Pace;
let asked: string[];
let takes = 0;
let stop: (() => void)[];

// watched is a list that a page shows.
function watched(name: string): void {
  const queryFn = async () => {
    asked.push(name);
    await new Promise((resolve) => setTimeout(resolve, takes));
    return name;
  };
  const observer = new QueryObserver(client, { queryKey: ["admin", name], queryFn, staleTime: Infinity });
  stop.push(observer.subscribe(() => undefined));
}

beforeEach(async () => {
  vi.useFakeTimers();
  client = new QueryClient();
  pace = new Pace(client);
  asked = [];
  takes = 0;
  stop = [];
  watched("hosts");
  watched("agents");
  await vi.advanceTimersByTimeAsync(10);
  asked.length = 0;
});

afterEach(() => {
  pace.stop();
  for (const end of stop) end();
  vi.useRealTimers();
});

test("what is named many times in a while is asked for once, and nothing else", async () => {
  for (let i = 0; i < 100; i++) pace.add(["admin", "hosts"]);
  await vi.advanceTimersByTimeAsync(10);
  expect(asked).toEqual(["hosts"]);
  for (let i = 0; i < 100; i++) pace.add(["admin", "hosts"]);
  await vi.advanceTimersByTimeAsync(900);
  expect(asked).toEqual(["hosts"]);
  await vi.advanceTimersByTimeAsync(200);
  expect(asked).toEqual(["hosts", "hosts"]);
});

test("what takes long is asked for the less often, but at least every ten seconds", async () => {
  for (const { answer, rounds } of [
    { answer: 1_000, rounds: 26 },
    { answer: 50_000, rounds: 3 }, // one a minute
  ]) {
    takes = answer;
    asked.length = 0;
    for (let i = 0; i < 130; i++) {
      pace.add(["admin", "hosts"]);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(asked.length).toBeGreaterThanOrEqual(rounds);
    expect(asked.length).toBeLessThanOrEqual(rounds + 1);
    await vi.advanceTimersByTimeAsync(60_000);
  }
});

test("what is urgent does not wait for what took long", async () => {
  takes = 2_000;
  pace.add(["admin", "hosts"]);
  await vi.advanceTimersByTimeAsync(2_100);
  pace.rush(["admin"]);
  await vi.advanceTimersByTimeAsync(10);
  expect(asked.toSorted()).toEqual(["agents", "hosts", "hosts"]);
});

test("asks for nothing after its end", async () => {
  pace.add(["admin", "hosts"]);
  pace.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toEqual([]);
});
