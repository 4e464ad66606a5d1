import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { problem, session, TestDirector } from "../test/director";
import { show } from "../test/show";
import { SessionsPage } from "./SessionsPage";

const owners = () => screen.queryAllByRole("rowheader").map(({ textContent }) => textContent);
const shows = (...names: string[]) =>
  waitFor(() => {
    expect(owners()).toEqual(names);
  });
const closed = (director: TestDirector) =>
  director.requests
    .filter(({ method }) => method === "DELETE")
    .map(({ url }) => new URL(url))
    .map(({ pathname, search }) => pathname.replace(/.*\//, "") + search);

test("while it waits it shows the shape of what comes", () => {
  new TestDirector({ answers: { "GET /v1/sessions": () => new Promise(() => undefined) } });
  show(<SessionsPage />);
  expect(screen.getByLabelText("Loading the sessions")).toBeVisible();
});

test("without a session it says when one appears", async () => {
  new TestDirector();
  show(<SessionsPage />);
  expect(await screen.findByText("Nobody has a desktop open")).toBeVisible();
});

test("a list that cannot be had is said in the director's words", async () => {
  new TestDirector({ answers: { "GET /v1/sessions": () => problem(500, "internal", "The store is away.") } });
  show(<SessionsPage />);
  expect(await screen.findByText("The store is away.")).toBeVisible();
});

test("a list of many pages is asked for page by page and shown as one", async () => {
  const director = new TestDirector();
  director.answers["GET /v1/sessions"] = ({ url }) => {
    const after = new URL(url).searchParams.get("after");
    if (after !== null) return Response.json([session({ owner: `after ${after}`, server_id: "ws9" })]);
    return Response.json([session()], { headers: { Link: '<?after=ws%201&limit=1000>; rel="next"' } });
  };
  show(<SessionsPage />);
  expect(await screen.findByText("2 sessions")).toBeVisible();
  expect(owners()).toEqual(["alice", "after ws 1"]);
});

test("filters by owner, host, state, type and how long nobody was there", async () => {
  new TestDirector({
    sessions: [
      session({ id: "a", owner: "alice", "num-of-connections": 1 }),
      session({ id: "b", owner: "bob", type: "virtual", server_id: "ws2" }),
      session({ id: "c", owner: "carol", "creation-time": new Date().toISOString() }),
      session({ id: "d", owner: "dan", status: "creating" }),
    ],
  });
  const hands = show(<SessionsPage />);
  const choose = (label: string, choice: string) => {
    const list = screen.getByLabelText(label);
    return hands.selectOptions(list, within(list).getByRole("option", { name: choice }));
  };
  await screen.findByText("4 sessions");

  await choose("Any state", "Connected");
  await shows("alice");
  await choose("Any state", "Starting");
  await shows("dan");
  await choose("Any state", "Any state");
  await choose("Any type", "Virtual");
  await shows("bob");
  await choose("Any type", "Any type");
  await choose("Idle or not", "Idle > 1 hour");
  await shows("dan", "bob");
  await choose("Idle or not", "Idle or not");
  await hands.type(screen.getByLabelText("Owner"), "CAR");
  await shows("carol");
  await hands.clear(screen.getByLabelText("Owner"));
  await hands.type(screen.getByLabelText("Host"), "ws2");
  await shows("bob");
});

test("closes the one that was meant, after a question with owner, host and clients", async () => {
  const director = new TestDirector({
    sessions: [
      session({ id: "console", server_id: "ws3", "num-of-connections": 2 }),
      session({ id: "console", owner: "bob", server_id: "ws4" }),
    ],
  });
  const hands = show(<SessionsPage />);
  const [first] = await screen.findAllByRole("button", { name: "Close" });
  if (!first) throw new Error("there is nothing to close");
  await hands.click(first);
  const dialog = await screen.findByRole("dialog");
  expect(
    within(dialog).getByText(/^Close alice's console session on ws3\? 2 clients are connected\./),
  ).toBeVisible();

  await hands.click(within(dialog).getByRole("button", { name: "Close the session" }));
  await waitFor(() => {
    expect(closed(director)).toEqual(["console?serverId=ws3"]);
  });
});

test("closes many after one question that names them, and says which could not be closed", async () => {
  const director = new TestDirector({
    sessions: [
      session({ id: "a", owner: "alice", "num-of-connections": 1 }),
      session({ id: "b", owner: "bob", server_id: "ws2" }),
      session({ id: "c", owner: "carol", server_id: "ws3" }),
    ],
  });
  director.answers["DELETE /v1/sessions/b"] = () =>
    problem(504, "agent-timeout", "ws2 did not answer in time.");
  const hands = show(<SessionsPage />);
  await hands.click(await screen.findByLabelText("Select alice on ws1"));
  await hands.click(screen.getByLabelText("Select bob on ws2"));
  await hands.click(screen.getByRole("button", { name: "Close 2 sessions" }));

  const dialog = await screen.findByRole("dialog");
  expect(within(dialog).getByText(/^Close 2 sessions\? 1 client is connected\./)).toBeVisible();
  expect(within(dialog).getByText("alice on ws1, console")).toBeVisible();
  expect(within(dialog).queryByText(/carol/)).toBeNull();
  expect(closed(director)).toEqual([]);
  await hands.click(within(dialog).getByRole("button", { name: "Close 2 sessions" }));

  expect(await screen.findByText("bob on ws2: ws2 did not answer in time.")).toBeVisible();
  expect(closed(director).sort()).toEqual(["a?serverId=ws1", "b?serverId=ws2"]);
  expect(await screen.findByText("2 sessions")).toBeVisible();
});

test("what a filter hides is not closed with the rest", async () => {
  const director = new TestDirector({
    sessions: [session({ id: "a" }), session({ id: "b", owner: "bob", server_id: "ws2" })],
  });
  const hands = show(<SessionsPage />);
  await hands.click(await screen.findByLabelText("Select all sessions of the list"));
  await hands.type(screen.getByLabelText("Owner"), "bob");
  await hands.click(screen.getByRole("button", { name: "Close 1 session" }));
  await hands.click(
    within(await screen.findByRole("dialog")).getByRole("button", { name: "Close 1 session" }),
  );
  await waitFor(() => {
    expect(closed(director)).toEqual(["b?serverId=ws2"]);
  });
});

test("creates one for somebody, and says why not", async () => {
  const director = new TestDirector();
  director.answers["POST /v1/sessions"] = () => problem(409, "no-capacity", "No host of cad is free.");
  const hands = show(<SessionsPage />);
  await hands.click(screen.getByRole("button", { name: "Create a session" }));
  await hands.type(await screen.findByLabelText("For whom"), "bob");
  await hands.selectOptions(screen.getByLabelText("On a"), "pool");
  await hands.type(screen.getByLabelText("Id of the pool"), "cad");
  await hands.click(screen.getByRole("button", { name: "Create it" }));
  expect(await screen.findByText("No host of cad is free.")).toBeVisible();
  expect(screen.getByLabelText("For whom")).toHaveValue("bob");
  expect(await director.bodies("POST /v1/sessions")).toEqual([
    { userId: "bob", poolId: "cad", sessionType: "console" },
  ]);
});

test("a session opens beside the list; one that has ended is said to have", async () => {
  const director = new TestDirector({ sessions: [session()] });
  const hands = show(<SessionsPage />);
  await hands.click(await screen.findByRole("link", { name: "alice" }));
  const panel = await screen.findByRole("dialog", { name: "alice on ws1" });
  await hands.click(within(panel).getByRole("button", { name: "Close" }));
  await hands.click(await screen.findByRole("button", { name: "Close the session" }));
  expect(await screen.findByText("This session has ended.")).toBeVisible();
  expect(closed(director)).toEqual(["dcvix_1?serverId=ws1"]);
});

test("a hostile owner stays text", async () => {
  const owner = "<img src=x onerror=alert(1)>";
  new TestDirector({ sessions: [session({ owner })] });
  show(<SessionsPage />);
  expect(await screen.findByText(owner)).toBeVisible();
  expect(document.querySelector("img")).toBeNull();
});
