import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { agent, host, problem, session, TestDirector } from "../test/director";
import { show } from "../test/show";
import { HostsPage } from "./HostsPage";

const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();
const row = async (name: string) => {
  const link = await screen.findByRole("link", { name });
  const found = link.closest("tr");
  if (!found) throw new Error(`${name} is in no row`);
  return within(found);
};

test("while it waits it shows the shape of what comes", () => {
  new TestDirector({ answers: { "GET /v1/servers": () => new Promise(() => undefined) } });
  show(<HostsPage />);
  expect(screen.getByLabelText("Loading the hosts")).toBeVisible();
});

test("without an agent it says what to run on a host, with this director's address and CA", async () => {
  new TestDirector();
  show(<HostsPage />);
  expect(await screen.findByText("No host has reported yet")).toBeVisible();
  expect(await screen.findByText(/director_host = director\.test.*ca_fingerprint = 41:BE:07/s)).toBeVisible();
});

test("without a host it says who waits to be let in", async () => {
  new TestDirector({ agents: [agent({ state: "pending" })] });
  show(<HostsPage />);
  expect(await screen.findByText(/1 agent waits to be let in/)).toBeVisible();
  expect(screen.getByRole("link", { name: "Compare and approve" })).toHaveAttribute("href", "/agents");
});

test("a list that cannot be had is said in the director's words", async () => {
  new TestDirector({ answers: { "GET /v1/servers": () => problem(500, "internal", "The store is away.") } });
  show(<HostsPage />);
  expect(await screen.findByText("The store is away.")).toBeVisible();
});

test("while the director is away the list stays", async () => {
  const director = new TestDirector({ hosts: [host()] });
  show(<HostsPage />);
  await row("ws1");
  director.away = true;
  expect(await screen.findByText(/The director does not answer/, {}, { timeout: 15_000 })).toBeVisible();
  expect(screen.getByRole("link", { name: "ws1" })).toBeVisible();
}, 20_000);

test.each([
  { says: "ready", of: host() },
  { says: "in use", of: host({ sessions: [session({ "num-of-connections": 1 })] }) },
  { says: "ready", of: host({ sessions: [session()] }) },
  { says: "dcvserver does not answer.", of: host({ problems: ["dcvserver does not answer."] }) },
  { says: "silent for 4 minutes", of: host({ "last-seen": ago(245) }) },
  { says: /^silent for \d+ seconds$/, of: host({ "last-seen": ago(40), silent: true }) },
  { says: "has never reported", of: host({ "last-seen": null }) },
  { says: "drained", of: host({ maintenance: { message: "", by: "root", since: null } }) },
  { says: "drained: new disk", of: host({ maintenance: { message: "new disk", by: "root", since: null } }) },
])("a host says $says", async ({ says, of }) => {
  new TestDirector({ hosts: [of] });
  show(<HostsPage />);
  expect((await row("ws1")).getByText(says)).toBeVisible();
});

test("gives figures with their units", async () => {
  const gpu = {
    index: 0,
    model: "RTX",
    driver: "570",
    usage: 71,
    encoder_usage: 0,
    used_memory: 0,
    total_memory: 0,
    temperature: 0,
  };
  new TestDirector({ hosts: [host({ "last-seen": ago(12), gpus: [gpu], tags: ["linux"] })] });
  show(<HostsPage />);
  const cells = await row("ws1");
  expect(cells.getByText("12 %")).toBeVisible();
  expect(cells.getByText("0.50")).toBeVisible();
  expect(cells.getByText("25 %")).toHaveAttribute("title", "16 GiB of 64 GiB");
  expect(cells.getByText("71 %")).toBeVisible();
  expect(cells.getByText("linux")).toBeVisible();
  expect(cells.getByText(/^\d+ seconds ago$/)).toBeVisible();
});

test("the address says which hosts are shown, and in what order", async () => {
  new TestDirector({
    hosts: [
      host(),
      host({ hostname: "ws2", tags: ["cad"], cpu_usage: 3 }),
      host({ hostname: "ws10", tags: ["cad"] }),
    ],
  });
  const hands = show(<HostsPage />, "/?filter=cad&sort=-cpu");
  await screen.findByText("2 hosts");
  const names = () => screen.getAllByRole("link", { name: /^ws/ }).map(({ textContent }) => textContent);
  expect(names()).toEqual(["ws10", "ws2"]);
  await hands.click(screen.getByRole("button", { name: "Name" }));
  await waitFor(() => {
    expect(names()).toEqual(["ws2", "ws10"]);
  });
  await hands.selectOptions(screen.getByLabelText("Any state"), "Silent");
  expect(await screen.findByText(/No host is like that/)).toBeVisible();
});

test("of ten thousand hosts only those in sight are in the document, and the count is told", async () => {
  const hosts = Array.from({ length: 10_000 }, (_, n) => host({ hostname: `ws${String(n)}` }));
  new TestDirector({ hosts });
  show(<HostsPage />);
  expect(await screen.findByText("10,000 hosts")).toBeVisible();
  expect(screen.getByRole("table", { name: "Hosts" })).toHaveAttribute("aria-rowcount", "10001");
  expect(screen.getAllByRole("row").length).toBeLessThan(60);
}, 20_000);

test("a host opens beside the list with its last hour, and is drained with a message", async () => {
  const director = new TestDirector({ hosts: [host({ sessions: [session()] })] });
  const hands = show(<HostsPage />);
  await hands.click(await screen.findByRole("link", { name: "ws1" }));

  const panel = await screen.findByRole("dialog", { name: "ws1" });
  expect(await within(panel).findByRole("img", { name: /^CPU over the last hour: now 12 %/ })).toBeVisible();
  expect(within(panel).getByRole("link", { name: "alice, console" })).toBeVisible();

  await hands.click(within(panel).getByRole("button", { name: "Drain" }));
  await hands.type(await screen.findByLabelText(/Why/), "new disk");
  await hands.click(screen.getByRole("button", { name: "Drain it" }));
  await waitFor(async () => {
    expect(await director.bodies("POST /v1/admin/servers/ws1/drain")).toEqual([{ message: "new disk" }]);
  });
  await hands.click(await within(panel).findByRole("button", { name: "Let new sessions in again" }));
  await waitFor(() => {
    expect(director.hosts[0]?.maintenance).toBeUndefined();
  });
});

test("a host explains why somebody would not get it", async () => {
  const director = new TestDirector({ hosts: [host()] });
  director.answers["POST /v1/admin/explain"] = () =>
    Response.json({ hosts: [{ name: "ws1", code: "console-taken", reason: "bob has its console." }] });
  const hands = show(<HostsPage />, "/?open=ws1");
  await hands.type(await screen.findByLabelText("For whom"), "alice{Enter}");
  expect(await screen.findByText(/bob has its console/)).toBeVisible();
  expect(screen.getByText(/No host would take it/)).toBeVisible();
  expect(await director.bodies("POST /v1/admin/explain")).toEqual([
    { userId: "alice", groups: [], serverId: "ws1", sessionType: "console" },
  ]);
});

test("a hostile name stays text", async () => {
  const hostname = "<img src=x onerror=alert(1)>";
  new TestDirector({ hosts: [host({ hostname, tags: [hostname], problems: [hostname] })] });
  show(<HostsPage />);
  expect((await screen.findAllByText(hostname)).length).toBeGreaterThan(1);
  expect(document.querySelector("img")).toBeNull();
});
