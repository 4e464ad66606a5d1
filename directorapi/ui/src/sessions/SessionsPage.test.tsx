import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { problem, session, TestDirector } from "../test/director";
import { show } from "../test/show";
import { SessionsPage } from "./SessionsPage";

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

test("ten thousand sessions are drawn in parts", async () => {
  const sessions = Array.from({ length: 10_000 }, (_, i) =>
    session({ id: `dcvix_${String(i)}`, owner: `u${String(i)}` }),
  );
  new TestDirector({ sessions });
  const hands = show(<SessionsPage />);
  expect(await screen.findByText("9,800 more")).toBeVisible();
  await hands.click(screen.getByRole("button", { name: "Show more" }));
  expect(screen.getByText("9,600 more")).toBeVisible();
}, 20_000);

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
    const closed = director.requests
      .filter(({ method }) => method === "DELETE")
      .map(({ url }) => new URL(url).search);
    expect(closed).toEqual(["?serverId=ws3"]);
  });
});
