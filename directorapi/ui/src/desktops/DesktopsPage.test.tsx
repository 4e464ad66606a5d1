import { screen, waitFor, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";

import { problem, session, TestDirector } from "../test/director";
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
  new TestDirector({ answers: { "GET /v1/user/servers": () => new Promise(() => undefined) } });
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
    answers: { "GET /v1/user/servers": () => problem(500, "internal", "The policy cannot be read.") },
  });
  show(<DesktopsPage />);
  expect(await screen.findByText("The policy cannot be read.")).toBeVisible();
  expect(screen.getByText("Cannot list your desktops")).toBeVisible();
});

test("what was listed stays when a later list fails", async () => {
  const director = new TestDirector({ servers: ["ws1"], sessions: [session()] });
  const hands = show(<DesktopsPage />);
  await card("ws1");
  director.answers["GET /v1/user/sessions"] = () => problem(500, "internal", "The store is away.");
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
}, 20_000);

test("says in words what runs, and gives the focus to what was left running", async () => {
  new TestDirector({
    servers: ["ws0", "ws1", "ws2", "ws3", "ws4", "ws5"],
    sessions: [
      session({ server_id: "ws1", "num-of-connections": 2 }),
      session({ server_id: "ws2", type: "virtual" }),
      session({ server_id: "ws3", status: "closing" }),
      session({ server_id: "ws5", status: "creating" }),
      session({
        server_id: "ws4",
        status: "unknown",
        "last-seen": new Date(Date.now() - 240_000).toISOString(),
      }),
    ],
  });
  show(<DesktopsPage />);

  expect(within(await card("ws0")).getByText("No session")).toBeVisible();
  expect(within(await card("ws1")).getByText(/^Running since .*, 2 clients connected$/)).toBeVisible();
  expect(within(await card("ws2")).getByText(/not connected$/)).toBeVisible();
  expect(within(await card("ws2")).getByText("virtual")).toBeVisible();
  expect(within(await card("ws3")).getByText("Closing …")).toBeVisible();
  expect(within(await card("ws5")).getByText("Starting …")).toBeVisible();
  expect(within(await card("ws5")).getByRole("button", { name: "Resume" })).toBeDisabled();
  expect(within(await card("ws4")).getByText("Its host reported 4 minutes ago")).toBeVisible();
  expect(within(await card("ws1")).getByRole("button", { name: "Resume" })).toHaveFocus();
});

test("opens the chosen kind of session, says what it waits for, and offers three ways", async () => {
  let go: (response: Response) => void = () => undefined;
  const director = new TestDirector({ servers: ["ws1"] });
  director.answers["POST /v1/user/sessions"] = () => new Promise((resolve) => (go = resolve));
  const hands = show(<DesktopsPage />);
  await hands.click(within(await card("ws1")).getByText("virtual"));
  await hands.click(screen.getByRole("button", { name: "Open" }));

  expect(await screen.findByText("Asking ws1 to start a desktop …")).toBeVisible();
  director.sessions = [session({ type: "virtual" })];
  go(Response.json({ sessionID: "dcvix_1", serverId: "ws1" }));

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
  expect(localStorage.getItem("dcvix.type.ws1")).toBe("virtual");
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

test("closes after one question that names what ends", async () => {
  const director = new TestDirector({ servers: ["ws1"], sessions: [session({ "num-of-connections": 1 })] });
  const hands = show(<DesktopsPage />);
  await hands.click(await screen.findByRole("button", { name: "Close" }));
  const dialog = await screen.findByRole("dialog");
  expect(
    within(dialog).getByText(/^Close your console session on ws1\? 1 client is connected\./),
  ).toBeVisible();
  expect(director.sessions).toHaveLength(1);

  await hands.click(within(dialog).getByRole("button", { name: "Close the session" }));
  await waitFor(() => {
    expect(screen.getByText("No session")).toBeVisible();
  });
  expect(director.requests.some(({ url }) => url.endsWith("/v1/sessions/dcvix_1?serverId=ws1"))).toBe(true);
});

test("a close that fails stays open and says why", async () => {
  new TestDirector({
    servers: ["ws1"],
    sessions: [session()],
    answers: { "DELETE /v1/sessions/dcvix_1": () => problem(502, "agent-failed", "ws1 did not close it.") },
  });
  const hands = show(<DesktopsPage />);
  await hands.click(await screen.findByRole("button", { name: "Close" }));
  const dialog = await screen.findByRole("dialog");
  await hands.click(within(dialog).getByRole("button", { name: "Close the session" }));
  expect(await within(dialog).findByText("ws1 did not close it.")).toBeVisible();
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
