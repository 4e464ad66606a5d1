import { screen, waitFor, within } from "@testing-library/react";
import type { UserEvent } from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { Live } from "../live/Live";
import { desktop, problem, session, TestDirector } from "../test/director";
import { TestStream } from "../test/events";
import { show } from "../test/show";
import { DesktopsPage } from "./DesktopsPage";

const card = (name: string) => screen.findByRole("region", { name });

/** followed collects the addresses that the page goes to, instead of going there. */
function followed(): string[] {
  const hrefs: string[] = [];
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    hrefs.push(this.href);
  });
  return hrefs;
}

test("while it waits it shows the shape of what comes", () => {
  new TestDirector({ answers: { "GET /v1/user/desktops": () => new Promise(() => undefined) } });
  show(<DesktopsPage />);
  expect(screen.getByLabelText("Loading your desktops")).toHaveAttribute("aria-busy", "true");
});

test("without a desktop it says why and what to do", async () => {
  new TestDirector();
  show(<DesktopsPage />);
  expect(await screen.findByText("No desktop is assigned to you yet")).toBeVisible();
  expect(screen.getByText(/Ask your administrator/)).toBeVisible();
});

test("a list that cannot be had is said in the director's words", async () => {
  new TestDirector({
    answers: { "GET /v1/user/desktops": () => problem(500, "internal", "The policy cannot be read.") },
  });
  show(<DesktopsPage />);
  expect(await screen.findByText("The policy cannot be read.")).toBeVisible();
  expect(screen.getByText("Cannot list your desktops")).toBeVisible();
});

test("what was listed stays when a later list fails", async () => {
  const director = new TestDirector({ servers: ["ws1"], sessions: [session()] });
  const hands = show(<DesktopsPage />);
  await card("ws1");
  director.answers["GET /v1/user/desktops"] = () => problem(500, "internal", "The store is away.");
  await hands.click(screen.getByRole("button", { name: "Resume" }));

  expect(await screen.findByText("The store is away.")).toBeVisible();
  expect(screen.getByRole("region", { name: "ws1" })).toBeVisible();
});

test("ten thousand desktops are drawn in parts", async () => {
  new TestDirector({ servers: Array.from({ length: 10_000 }, (_, i) => `ws${String(i)}`) });
  show(<DesktopsPage />);
  await card("ws199");
  expect(screen.queryByRole("region", { name: "ws200" })).toBeNull();
  expect(screen.getByText("9,800 more")).toBeVisible();
});

test("says in words what runs, and gives the focus to what was left running", async () => {
  new TestDirector({
    servers: ["ws0", "ws1", "ws2", "ws3", "ws4", "ws5"],
    sessions: [
      session({ server_id: "ws1", "num-of-connections": 2 }),
      session({ server_id: "ws2", type: "virtual" }),
      session({ server_id: "ws3", status: "closing" }),
      session({ server_id: "ws5", status: "creating" }),
      session({ server_id: "ws4", status: "unknown" }),
    ],
  });
  show(<DesktopsPage />);

  expect(within(await card("ws0")).getByText("Ready")).toBeVisible();
  expect(within(await card("ws1")).getByText(/^Running since /)).toBeVisible();
  expect(within(await card("ws1")).getByText("2 clients are connected.")).toBeVisible();
  expect(within(await card("ws2")).getByText("You are not connected.")).toBeVisible();
  expect(within(await card("ws2")).getByText("virtual")).toBeVisible();
  expect(within(await card("ws3")).getByText("Closing …")).toBeVisible();
  expect(within(await card("ws5")).getByText("Starting …")).toBeVisible();
  expect(within(await card("ws5")).getByRole("button", { name: "Resume" })).toHaveAttribute(
    "aria-disabled",
    "true",
  );
  expect(within(await card("ws4")).getByText("Its host does not report")).toBeVisible();
  expect(within(await card("ws1")).getByRole("button", { name: "Resume" })).toHaveFocus();
});

test.each([
  { state: "busy", words: "Busy", detail: "Others have it: try again later." },
  {
    state: "maintenance",
    words: "In maintenance",
    detail: "It is in maintenance: disk replacement.",
    reason: "“disk replacement”",
  },
  { state: "offline", words: "Offline", detail: "It does not report: tell your admin." },
  { state: "starting", words: "Waiting for its report …", detail: "Wait a moment." },
  { state: "unusable", words: "Cannot be used", detail: "Tell your admin." },
  { state: "on-fire", words: "The room is on fire.", detail: "The room is on fire." },
])("$state is said in words, with the reason, and cannot be opened", async ({ reason, words, ...given }) => {
  const director = new TestDirector({ desktops: [desktop({ ...given, types: [], free: 0 })] });
  const hands = show(<DesktopsPage />);
  const it = within(await card("ws1"));
  expect(it.getByText(words)).toBeVisible();
  expect(it.getByText(reason ?? given.detail)).toBeVisible();
  await hands.click(it.getByRole("button", { name: "Open" }));
  expect(await director.bodies("POST /v1/user/sessions")).toEqual([]);

  await hands.click(it.getByRole("button", { name: "More about ws1" }));
  expect(screen.getByRole("menuitem", { name: "Open in the browser" })).toBeDisabled();
  await hands.click(screen.getByRole("menuitem", { name: "Why?" }));
  expect(await screen.findByText("Nothing can be opened there just now.")).toBeVisible();
});

test("a pool says how many of its hosts are free and opens as a pool", async () => {
  const pool = desktop({ kind: "pool", name: "gpu", hosts: 8, free: 5 });
  const director = new TestDirector({ desktops: [pool] });
  const hands = show(<DesktopsPage />);
  const it = within(await card("gpu"));
  expect(it.getByText("5 of 8 hosts free")).toBeVisible();
  await hands.click(it.getByRole("button", { name: "Open a desktop" }));
  expect(await it.findByRole("link", { name: "Browser" })).toBeVisible();
  expect(await director.bodies("POST /v1/user/sessions")).toEqual([
    { poolId: "gpu", sessionType: "console" },
  ]);
});

test("opens the chosen kind of session, says what it waits for, and offers three ways", async () => {
  let go: (response: Response) => void = () => undefined;
  let key: (response: Response) => void = () => undefined;
  const director = new TestDirector({ servers: ["ws1"] });
  director.answers["POST /v1/user/sessions"] = () => new Promise((resolve) => (go = resolve));
  director.answers["GET /v1/user/connectiontoken"] = () => new Promise((resolve) => (key = resolve));
  TestStream.install();
  const hands = show(
    <>
      <Live />
      <DesktopsPage />
    </>,
  );
  await hands.click(within(await card("ws1")).getByRole("button", { name: "More about ws1" }));
  await hands.click(screen.getByRole("menuitemradio", { name: "virtual session" }));
  await hands.click(screen.getByRole("button", { name: "Open" }));

  expect(await screen.findByText("Asking ws1 to start a desktop …")).toBeVisible();
  director.sessions = [session({ type: "virtual", status: "creating" })];
  TestStream.open().say("desktops", director.listed());
  expect(await screen.findByText("Asking ws1 to start a desktop … waiting for DCV …")).toBeVisible();
  go(Response.json({ sessionID: "dcvix_1", serverId: "ws1" }));
  expect(await screen.findByText(/ready, fetching its key …$/)).toBeVisible();
  director.sessions = [session({ type: "virtual" })];
  key(Response.json({ token: "v4.local.tok", host: "ws1.lab.example" }));

  const viewer = await screen.findByRole("link", { name: "DCV viewer" });
  expect(viewer).toHaveAttribute("href", "dcv://ws1.lab.example:8443/?authToken=v4.local.tok#dcvix_1");
  expect(viewer).toHaveFocus();
  const browser = screen.getByRole("link", { name: "Browser" });
  expect(browser).toHaveAttribute("href", "https://ws1.lab.example:8443/?authToken=v4.local.tok#dcvix_1");
  expect(browser).toHaveAttribute("rel", "noopener noreferrer");
  expect(browser).toHaveAttribute("target", "_blank");
  expect(await director.bodies("POST /v1/user/sessions")).toEqual([
    { serverId: "ws1", sessionType: "virtual" },
  ]);
  expect(localStorage.getItem("dcvix.type.host/ws1")).toBe("virtual");
});

test("goes another way from the menu", async () => {
  const hrefs = followed();
  localStorage.setItem("dcvix.way", "viewer");
  new TestDirector({ servers: ["ws1"], sessions: [session()] });
  const hands = show(<DesktopsPage />);
  await hands.click(await screen.findByRole("button", { name: "More about ws1" }));
  await hands.click(screen.getByRole("menuitem", { name: "Open in the browser" }));
  expect(await screen.findByText(/Opening in a new tab/)).toBeVisible();
  expect(hrefs).toEqual(["https://ws1.lab.example:8443/?authToken=v4.local.tok#dcvix_1"]);
});

test("what a gateway calls the session does not hide the way to it", async () => {
  const director = new TestDirector({ servers: ["ws1"], sessions: [session()] });
  director.answers["GET /v1/user/connectiontoken"] = () =>
    Response.json({ token: "t", host: "gw.example", sessionId: "shared-name" });
  const hands = show(<DesktopsPage />);
  await hands.click(await screen.findByRole("button", { name: "Resume" }));
  expect(await screen.findByRole("link", { name: "Browser" })).toHaveAttribute(
    "href",
    "https://gw.example:8443/?authToken=t#shared-name",
  );
});

test("finds a desktop by a part of its name, keeps that in the address, and leaves with Escape", async () => {
  new TestDirector({
    servers: ["ws1", "cad-14"],
    desktops: [desktop({ kind: "pool", name: "gpu", hosts: 2 })],
  });
  const hands = show(<DesktopsPage />, "/?q=gpu");
  await card("gpu");
  expect(screen.queryByRole("region", { name: "ws1" })).toBeNull();
  const field = screen.getByRole("searchbox", { name: "Search your desktops" });
  expect(field).toHaveValue("gpu");
  await hands.clear(field);
  await hands.type(field, "CAD");
  await card("cad-14");
  expect(screen.queryByRole("region", { name: "gpu" })).toBeNull();
  await hands.type(field, "xyz");
  expect(screen.getByText("No desktop of yours has “CADxyz” in its name.")).toBeVisible();
  await hands.keyboard("{Escape}");
  await card("ws1");
  await hands.keyboard("/");
  expect(field).toHaveFocus();
});

test("arrows move between the desktops", async () => {
  new TestDirector({ servers: ["ws0", "ws1"] });
  const hands = show(<DesktopsPage />);
  const [first, second] = [await card("ws0"), await card("ws1")].map((one) =>
    within(one).getByRole("button", { name: "Open" }),
  );
  expect(first).toHaveFocus();
  await hands.keyboard("{ArrowRight}");
  expect(second).toHaveFocus();
  await hands.keyboard("{Home}");
  expect(first).toHaveFocus();
});

test("while the director does not answer nothing can be opened, and the focus stays", async () => {
  const director = new TestDirector({ servers: ["ws1"] });
  TestStream.install();
  const hands = show(
    <>
      <Live />
      <DesktopsPage />
    </>,
  );
  const open = await screen.findByRole("button", { name: "Open" });
  director.away = true;
  TestStream.open().fail();
  await screen.findByText(/The director does not answer/);
  expect(open).toHaveAttribute("aria-disabled", "true");
  expect(open).toHaveFocus();
  await hands.keyboard("{Enter}");
  director.away = false;
  await waitFor(() => {
    expect(open).toHaveAttribute("aria-disabled", "false");
  });
  expect(await director.bodies("POST /v1/user/sessions")).toEqual([]);
});

test("resumes with the type that runs, and starts the way that was taken last", async () => {
  const hrefs = followed();
  localStorage.setItem("dcvix.way", "viewer");
  const director = new TestDirector({ servers: ["ws1"], sessions: [session({ type: "virtual" })] });
  const hands = show(<DesktopsPage />);
  await hands.click(await screen.findByRole("button", { name: "Resume" }));

  expect(await screen.findByText(/Starting the DCV viewer/)).toBeVisible();
  expect(hrefs).toEqual(["dcv://ws1.lab.example:8443/?authToken=v4.local.tok#dcvix_1"]);
  expect(await director.bodies("POST /v1/user/sessions")).toEqual([
    { serverId: "ws1", sessionType: "virtual" },
  ]);
  expect(director.sessions).toHaveLength(1);
});

test("saves a .dcv file and remembers that way", async () => {
  const hrefs = followed();
  const blobs: Blob[] = [];
  vi.stubGlobal(
    "URL",
    Object.assign(URL, {
      createObjectURL: (blob: Blob) => (blobs.push(blob), "blob:x"),
      revokeObjectURL: vi.fn(),
    }),
  );
  new TestDirector({ servers: ["ws1"], sessions: [session()] });
  const hands = show(<DesktopsPage />);
  await hands.click(await screen.findByRole("button", { name: "Resume" }));
  await hands.click(await screen.findByRole("button", { name: ".dcv file" }));

  expect(hrefs).toEqual(["blob:x"]);
  expect(blobs).toHaveLength(1);
  expect(localStorage.getItem("dcvix.way")).toBe("file");
});

test("a desktop that cannot be opened says why and can be tried again", async () => {
  const director = new TestDirector({ servers: ["ws1"] });
  director.answers["POST /v1/user/sessions"] = () => problem(409, "conflict", "bob has the console of ws1.");
  const hands = show(<DesktopsPage />);
  await hands.click(await screen.findByRole("button", { name: "Open" }));

  expect(await screen.findByText("bob has the console of ws1.")).toBeVisible();
  director.answers = {};
  await hands.click(screen.getByRole("button", { name: "Open" }));
  expect(await screen.findByRole("link", { name: "Browser" })).toBeVisible();
  expect(screen.queryByText("bob has the console of ws1.")).toBeNull();
});

test("a token is not sent to a host that is none", async () => {
  const director = new TestDirector({ servers: ["ws1"] });
  director.answers["GET /v1/user/connectiontoken"] = () =>
    Response.json({ token: "t", host: "evil.example/x" });
  const hands = show(<DesktopsPage />);
  await hands.click(await screen.findByRole("button", { name: "Open" }));

  expect(await screen.findByText(/whose name cannot be used/)).toBeVisible();
  expect(screen.queryByRole("link")).toBeNull();
});

async function askToClose(hands: UserEvent) {
  await hands.click(await screen.findByRole("button", { name: "More about ws1" }));
  await hands.click(screen.getByRole("menuitem", { name: "Close the session …" }));
  return within(await screen.findByRole("dialog"));
}

test("closes after one question that names what ends", async () => {
  const director = new TestDirector({ servers: ["ws1"], sessions: [session({ "num-of-connections": 1 })] });
  const hands = show(<DesktopsPage />);
  const dialog = await askToClose(hands);
  expect(dialog.getByText(/^Close your console session on ws1\? 1 client is connected\./)).toBeVisible();
  expect(director.sessions).toHaveLength(1);

  await hands.click(dialog.getByRole("button", { name: "Close the session" }));
  expect(await screen.findByText("Ready")).toBeVisible();
  expect(director.requests.some(({ url }) => url.endsWith("/v1/sessions/dcvix_1?serverId=ws1"))).toBe(true);
});

test("a close that fails stays open and says why", async () => {
  new TestDirector({
    servers: ["ws1"],
    sessions: [session()],
    answers: { "DELETE /v1/sessions/dcvix_1": () => problem(502, "agent-failed", "ws1 did not close it.") },
  });
  const hands = show(<DesktopsPage />);
  const dialog = await askToClose(hands);
  await hands.click(dialog.getByRole("button", { name: "Close the session" }));
  expect(await dialog.findByText("ws1 did not close it.")).toBeVisible();
});

test("those who may name any host get a card for the one they name", async () => {
  const director = new TestDirector({ servers: ["ALLOW_CUSTOM"] });
  const hands = show(<DesktopsPage />);
  await hands.type(await screen.findByLabelText("Name of the host"), " CAD-14 {Enter}");
  await hands.click(within(await card("cad-14")).getByRole("button", { name: "Open" }));
  await screen.findByRole("link", { name: "Browser" });
  expect(await director.bodies("POST /v1/user/sessions")).toEqual([
    { serverId: "cad-14", sessionType: "console" },
  ]);
});

test("a hostile name stays text", async () => {
  const name = "<img src=x onerror=alert(1)>";
  new TestDirector({ servers: [name], sessions: [session({ server_id: name, type: "<b>" as "console" })] });
  show(<DesktopsPage />);
  expect(await screen.findByText(name)).toBeVisible();
  expect(document.querySelector("img")).toBeNull();
  expect(document.querySelector("section b")).toBeNull();
});
