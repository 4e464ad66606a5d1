import { screen, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";

import { Portal } from "../app/Portal";
import { desktop, problem, TestDirector } from "../test/director";
import { TestStream } from "../test/events";
import { show } from "../test/show";
import { keysOf } from "./Live";
import { streamState } from "./state";

test("a page asks for what changed and for nothing else", () => {
  const none = { servers: [], sessions: [], agents: [] };
  const always = [["admin", "overview"], ["my"]];
  expect(keysOf(none)).toEqual(always);
  expect(keysOf({ ...none, servers: ["ws1"] })).toEqual([...always, ["admin", "hosts"]]);
  expect(keysOf({ ...none, sessions: ["ws1"] })).toEqual([
    ...always,
    ["admin", "hosts"],
    ["admin", "sessions"],
  ]);
  expect(keysOf({ ...none, agents: ["a"], policy: true })).toEqual([
    ...always,
    ["admin", "agents"],
    ["admin", "policy"],
  ]);
});

test("what the director tells is shown without asking", async () => {
  TestStream.install();
  const director = new TestDirector({ servers: ["ws1"] });
  show(<Portal />);
  await screen.findByRole("region", { name: "ws1" });
  TestStream.open().say("resync");
  await waitFor(() => {
    expect(director.requests.filter(({ url }) => url.endsWith("/desktops"))).toHaveLength(2);
  });
  TestStream.open().say("desktops", {
    desktops: [desktop({ state: "busy", detail: "Others have it.", types: [] })],
  });
  expect(await screen.findByText("Busy")).toBeVisible();
  expect(director.requests.filter(({ url }) => url.endsWith("/desktops"))).toHaveLength(2);
});

test("an admin, whose stream only names what changed, sees it too", async () => {
  TestStream.install();
  const director = new TestDirector({ servers: ["ws1"] });
  show(<Portal />);
  await screen.findByRole("region", { name: "ws1" });
  TestStream.open().say("resync");
  director.servers = ["ws1", "ws2"];
  TestStream.open().say("changes", { servers: ["ws2"], sessions: [], agents: [] });
  expect(await screen.findByRole("region", { name: "ws2" })).toBeVisible();
});

test("a stream that cannot be had is said, and the page goes on without", async () => {
  TestStream.install();
  const director = new TestDirector({ servers: ["ws1"] });
  show(<Portal />);
  await screen.findByRole("region", { name: "ws1" });
  TestStream.open().fail();
  expect(screen.queryByText(/Live updates cannot be had/)).toBeNull();
  await waitFor(() => {
    TestStream.open().fail();
  });
  expect(await screen.findByText(/Live updates cannot be had/)).toBeVisible();
  director.servers = ["ws1", "ws2"];
  expect(await screen.findByRole("region", { name: "ws2" })).toBeVisible();

  await waitFor(() => {
    TestStream.open().say("resync");
  });
  expect(screen.queryByText(/Live updates cannot be had/)).toBeNull();
});

test("the end of a login is noticed by the end of the stream, and no stream is asked for meanwhile", async () => {
  TestStream.install();
  const director = new TestDirector({ servers: ["ws1"] });
  const hands = show(<Portal />);
  await screen.findByRole("region", { name: "ws1" });
  TestStream.open().say("resync");
  director.answers["GET /v1/user/desktops"] = () => problem(401, "unauthenticated", "Log in first.");
  TestStream.open().fail();
  expect(await screen.findByText("Your login has ended")).toBeVisible();
  expect(streamState()).toBe("off");
  expect(() => TestStream.open()).toThrow("no stream");
  director.answers = {};
  await hands.type(screen.getByLabelText("User"), "alice");
  await hands.type(screen.getByLabelText("Password"), "wonder{Enter}");
  await waitFor(() => {
    TestStream.open().say("resync");
  });
});
