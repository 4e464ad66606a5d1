// A person's day on the portal: nothing there yet, a desktop from a pool, a
// director that restarts, a login that ends, a prefix, the keyboard alone, and a
// phone. browser.mjs says what its driver has to do; this one also wants
//
//   DCVIX_E2E_CONTROL   starts, stops and kills "director", "dcv" and "agent"
//                       (POST /start/NAME …) and writes the policy (PUT /policy/FILE)
//   DCVIX_E2E_PREFIXED  the director below a prefix
//
// and begins with nothing running and no agent known.
import assert from "node:assert/strict";
import { before, test } from "node:test";

import {
  accessible,
  admin,
  fits,
  inBothThemes,
  logIn,
  need,
  open,
  phone,
  picture,
  quiet,
  server,
  until,
  user,
} from "./browser.mjs";

const control = need("DCVIX_E2E_CONTROL");
const prefixed = new URL(need("DCVIX_E2E_PREFIXED"));
const limit = { timeout: 600_000 };
const hostile = "<img src=x onerror=alert(1)>";
const pool = "GPU pool";

async function hand(method, path, body) {
  const answer = await fetch(control + path, { method, body });
  assert.equal(answer.status, 200, await answer.text());
}

async function policy(users, pools) {
  await hand("PUT", "/policy/pools.json", JSON.stringify(pools));
  await hand("PUT", "/policy/users.json", JSON.stringify(users));
}

const offered = { workstations: [server], pools: [pool] };

before(async () => {
  await policy([{ id: user.name }, { id: admin.name, admin: true, workstations: [server] }], []);
  await hand("POST", "/start/director");
});

// What a network that fails makes the browser write.
const noNetwork = /Failed to load resource: net::ERR_|net::ERR_/;
const loggedOut = /status of 401/;

test("who has no desktop is told what to do, and gets it without asking again", limit, async () => {
  const page = await open("");
  await page.getByLabel("User").waitFor();
  await picture("portal-login");
  await page.getByLabel("User").fill(user.name);
  await page.getByRole("textbox", { name: "Password" }).fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByText("The user name, the password or the code is wrong.").waitFor();
  await page.getByText("Details").click();
  await picture("portal-login-refused");
  await page.reload();
  await logIn(user);
  await page.getByText("No desktop is assigned to you yet").waitFor();
  await picture("portal-empty");

  await policy(
    [
      { id: user.name, ...offered },
      { id: admin.name, admin: true, workstations: [server] },
    ],
    [{ id: pool, workstations: [server] }],
  );
  await page.getByRole("region", { name: pool }).waitFor();
  quiet(loggedOut);
});

test("from the first page to a desktop in six acts, by what can be read", limit, async () => {
  await hand("POST", "/start/dcv");
  await hand("POST", "/start/agent");
  const page = await open("admin/#/agents");
  let acts = 0;
  const act = async (does) => {
    acts++;
    await does;
  };
  await act(page.getByLabel("User").fill(admin.name));
  await act(page.getByRole("textbox", { name: "Password" }).pressSequentially(`${admin.password}\n`));
  await act(page.getByRole("button", { name: "Approve", exact: true }).click());
  await act(page.getByRole("link", { name: "My desktops" }).click());
  const button = page.getByRole("button", { name: "Open", exact: true });
  await until(
    async () => (await button.count()) === 1 && (await button.getAttribute("aria-disabled")) === "false",
  );
  await act(button.click());
  const opened = page.context().waitForEvent("page");
  await act(page.getByRole("link", { name: "Browser" }).click());
  await (await opened).getByText(admin.name).first().waitFor();
  assert.ok(acts <= 6, `it took ${String(acts)} acts`);
  await page.getByRole("button", { name: `More about ${server}` }).click();
  await page.getByRole("menuitem", { name: "Close the session" }).click();
  await page.getByRole("button", { name: "Close the session" }).click();
  await page.getByText("Ready", { exact: true }).waitFor();
  quiet();
});

test("a desktop of a pool opens with the keyboard alone, and closes with it", limit, async () => {
  const page = await open("");
  await logIn(user);
  const card = page.getByRole("region", { name: pool });
  await card.getByText("1 of 1 host free").waitFor();
  const focused = () => page.evaluate(() => document.activeElement?.textContent ?? "");
  await until(async () => (await focused()) === "Open a desktop");
  await picture("portal-desktops");
  await page.keyboard.press("Enter");
  await card.getByRole("link", { name: "Browser" }).waitFor();
  await until(async () => (await focused()) === "DCV viewer");

  await page.keyboard.press("Tab");
  const [desktop] = await Promise.all([
    page.context().waitForEvent("page"),
    page.keyboard.press("Enter"), // on "Browser"
  ]);
  await desktop.getByText(user.name).first().waitFor();
  await card.getByText("You are connected.").waitFor(); // nobody reloaded the page
  await desktop.close();
  await card.getByText("You are not connected.").waitFor();

  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await picture("portal-keys");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  await page.keyboard.press("/");
  await page.keyboard.type("gpu");
  await page.getByRole("region", { name: server, exact: true }).waitFor({ state: "hidden" });
  assert.ok(page.url().endsWith("#/?q=gpu"), page.url());

  const more = page.getByRole("button", { name: `More about ${pool}` });
  for (let i = 0; i < 10 && !(await more.evaluate((one) => one === document.activeElement)); i++) {
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Close the session" }).waitFor();
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Close the session" });
  await dialog.getByText(/Close your console session on ws1/).waitFor();
  await until(async () => (await focused()) === "Keep it");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "hidden" });
  await card.getByText("1 of 1 host free").waitFor();
  quiet();
});

test("a director that restarts is waited for, and the page goes on by itself", limit, async () => {
  const page = await open("");
  await logIn(user);
  const card = page.getByRole("region", { name: server, exact: true });
  await card.getByText("Ready", { exact: true }).waitFor();
  await hand("POST", "/kill/director");
  await page.getByText("The director does not answer; trying again").waitFor();
  assert.equal(await card.getByRole("button", { name: "Open" }).getAttribute("aria-disabled"), "true");
  await picture("portal-away");

  await hand("POST", "/start/director");
  await page.getByText("The director does not answer").waitFor({ state: "hidden" });
  await card.getByText("Ready", { exact: true }).waitFor(); // its agent has reported to the new one
  await card.getByRole("button", { name: "Open" }).click();
  await card.getByRole("link", { name: "Browser" }).waitFor();
  quiet(noNetwork);
});

test(
  "a login that ends in the middle of work keeps what was typed and does what was asked",
  limit,
  async () => {
    const page = await open("");
    await logIn(user);
    const card = page.getByRole("region", { name: server, exact: true });
    await card.getByRole("button", { name: "Resume" }).waitFor();
    await page.getByRole("searchbox").fill("ws");

    const cookies = await page.context().cookies();
    const ended = await page.request.post(new URL("v1/logout", page.url()).href);
    assert.equal(ended.status(), 200);
    await page.context().addCookies(cookies); // as if it had run out: the page still has it
    await page.getByText("Your login has ended").waitFor();
    await picture("portal-login-ended");
    await page.getByRole("textbox", { name: "Password" }).pressSequentially(`${user.password}\n`);
    await page.getByText("Your login has ended").waitFor({ state: "hidden" });
    assert.equal(await page.getByRole("searchbox").inputValue(), "ws");
    await card.getByRole("button", { name: "Resume" }).click();
    await card.getByRole("link", { name: "Browser" }).waitFor();
    quiet(loggedOut);
  },
);

test("the pages work below a prefix, with live updates", limit, async () => {
  const page = await open("", { at: prefixed });
  await logIn(user);
  const card = page.getByRole("region", { name: server, exact: true });
  await card.getByRole("button", { name: "Resume" }).waitFor();
  await card.getByRole("button", { name: `More about ${server}` }).click();
  await page.getByRole("menuitem", { name: "Close the session" }).click();
  await page.getByRole("button", { name: "Close the session" }).click();
  await card.getByText("Ready", { exact: true }).waitFor();
  assert.ok(page.url().startsWith(prefixed.href), page.url());
  quiet();
});

test("a hostile name stays text, and a host that nobody knows says what to do", limit, async () => {
  await policy(
    [
      { id: user.name, workstations: [server, "ws2", "ALLOW_CUSTOM"], pools: [pool, hostile] },
      { id: admin.name, admin: true, workstations: [server] },
    ],
    [
      { id: pool, workstations: [server] },
      { id: hostile, workstations: [server] },
    ],
  );
  const page = await open("");
  await logIn(user);
  const card = page.getByRole("region", { name: hostile });
  await card.getByText(hostile).waitFor();
  assert.equal(await page.locator("img").count(), 0);
  await page.getByRole("button", { name: `More about ws2` }).click();
  await page.getByRole("menuitem", { name: "Why?" }).click();
  await page.getByText("Choose another desktop meanwhile.").waitFor();
  await picture("portal-why");
  await page.keyboard.press("Escape");

  await page.getByLabel("Name of the host").fill(" NOWHERE ");
  await page.keyboard.press("Enter");
  const named = page.getByRole("region", { name: "nowhere" });
  await named.getByRole("button", { name: "Open" }).click();
  await named.getByText("nowhere cannot be opened").waitFor();
  await picture("portal-refused");
  quiet(/status of 40[349].*\/v1\/user\/sessions/);
});

// What the fleet of this walk does not have: the answers are written here.
const session = (given) => ({
  id: "dcvix_1",
  owner: user.name,
  user: user.name,
  "num-of-connections": 0,
  "creation-time": new Date(Date.now() - 7_200_000).toISOString(),
  "last-disconnection-time": null,
  "licensing-mode": "",
  "storage-root": "",
  type: "console",
  status: "created",
  "x11-display": "",
  "x11-authority": "",
  ...given,
});
const desktop = (name, state, detail, given) => ({
  kind: "host",
  name,
  state,
  detail,
  types: state === "ready" ? ["console", "virtual"] : [],
  sessions: [],
  hosts: 1,
  free: state === "ready" ? 1 : 0,
  ...given,
});
const many = [
  desktop("ws1", "own", "You have a session there.", { sessions: [session()], types: ["console"] }),
  desktop(pool, "ready", "It is free.", { kind: "pool", hosts: 8, free: 5 }),
  desktop("ws4", "in-use", "You have a session there, and a client is connected.", {
    sessions: [session({ type: "virtual", "num-of-connections": 1 })],
  }),
  desktop("ws5", "ready", "It is free."),
  desktop("ws7", "maintenance", "It is in maintenance: disk replacement, back at 14:00."),
  desktop("ws8", "busy", "Others have it: try again later."),
  desktop("ws9", "offline", "It does not report: tell your admin."),
  desktop(
    "cad-workstation-with-a-long-name.design.example",
    "starting",
    "It has not been heard of: wait a moment.",
  ),
  desktop("ws11", "passing", "Your session is being created or closed.", {
    sessions: [session({ status: "creating" })],
  }),
];

async function answered(answer, at = {}) {
  const page = await open("", at);
  await page.route("**/v1/events", () => undefined); // never answered: nothing live
  await page.route("**/v1/user/desktops", answer);
  await logIn(user);
  return page;
}

test("every state is drawn in both themes, wide and on a phone", limit, async () => {
  for (const [size, at] of [
    ["", {}],
    ["-phone", { viewport: phone }],
  ]) {
    await answered((route) => route.fulfill({ json: { desktops: many } }), at).then(async (page) => {
      await page.getByRole("region", { name: "ws11" }).waitFor();
      await picture(`portal-full${size}`);
      await fits();
      await page.unrouteAll({ behavior: "ignoreErrors" });
    });
    await answered(() => undefined, at).then(async (page) => {
      await page.getByLabel("Loading your desktops").waitFor();
      await picture(`portal-loading${size}`);
      await fits();
      await page.unrouteAll({ behavior: "ignoreErrors" });
    });
    const problem = {
      type: "urn:dcvix:internal",
      title: "internal",
      status: 500,
      detail: "The director could not do this: its log says why, under the request id.",
      instance: "3f0c9a52c1d24e7b",
    };
    const refused = (route) =>
      route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify(problem) });
    await answered(refused, at).then(async (page) => {
      await page.getByText("Cannot list your desktops").waitFor();
      await page.getByText("Details").click();
      await picture(`portal-error${size}`);
      await fits();
      await page.unrouteAll({ behavior: "ignoreErrors" });
    });
  }
});

test("the progress of an opening is told step by step", limit, async () => {
  const page = await open("");
  await logIn(user);
  let go;
  const held = new Promise((resolve) => (go = resolve));
  await page.route("**/v1/user/connectiontoken*", async (route) => {
    await held;
    await route.continue();
  });
  const card = page.getByRole("region", { name: server, exact: true });
  await card.getByRole("button", { name: "Open" }).click();
  await card.getByText(/ready, fetching its key …$/).waitFor();
  await picture("portal-progress");
  go();
  await card.getByRole("link", { name: "Browser" }).waitFor();
  await inBothThemes((theme) => accessible(`an opened desktop in the ${theme} theme`));
});
