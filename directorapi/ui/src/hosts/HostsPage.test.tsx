import { screen, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { host, problem, session, TestDirector } from "../test/director";
import { show } from "../test/show";
import { HostsPage } from "./HostsPage";

const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();
const row = async (name: string) => {
  const cell = await screen.findByRole("cell", { name });
  const found = cell.closest("tr");
  if (!found) throw new Error(`${name} is in no row`);
  return within(found);
};

test("while it waits it shows the shape of what comes", () => {
  new TestDirector({ answers: { "GET /v1/servers": () => new Promise(() => undefined) } });
  show(<HostsPage />);
  expect(screen.getByLabelText("Loading the hosts")).toBeVisible();
});

test("without a host it says when one appears", async () => {
  new TestDirector();
  show(<HostsPage />);
  expect(await screen.findByText("No host has reported yet")).toBeVisible();
});

test("a list that cannot be had is said in the director's words", async () => {
  new TestDirector({ answers: { "GET /v1/servers": () => problem(500, "internal", "The store is away.") } });
  show(<HostsPage />);
  expect(await screen.findByText("The store is away.")).toBeVisible();
});

test.each([
  { says: "ready", of: host() },
  { says: "in use", of: host({ sessions: [session({ "num-of-connections": 1 })] }) },
  { says: "ready", of: host({ sessions: [session()] }) },
  { says: "reports a problem", of: host({ problems: ["dcvserver does not answer."] }) },
  { says: "has not reported for 4 minutes", of: host({ "last-seen": ago(245) }) },
  { says: "has never reported", of: host({ "last-seen": null }) },
])("a host $says", async ({ says, of }) => {
  new TestDirector({ hosts: [of] });
  show(<HostsPage />);
  expect((await row("ws1")).getByText(says)).toBeVisible();
});

test("gives figures with their units, and every problem in its own words", async () => {
  new TestDirector({ hosts: [host({ problems: ["dcvserver does not answer."], "last-seen": ago(12) })] });
  show(<HostsPage />);
  const cells = await row("ws1");
  expect(cells.getByText("12 %")).toBeVisible();
  expect(cells.getByText("0.50 · 0.25 · 0.10")).toBeVisible();
  expect(cells.getByText("16 GiB of 64 GiB")).toBeVisible();
  expect(cells.getByText(/^1\d seconds ago$/)).toBeVisible();
  expect(cells.getByText("dcvserver does not answer.")).toBeVisible();
});
