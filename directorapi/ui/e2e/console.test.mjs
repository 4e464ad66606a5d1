// An admin's day on the console: nothing there yet, an agent that asks to join, a
// desktop that somebody opened on the portal, a host that is drained, an agent that
// is revoked; with the keyboard alone, on a phone, and with ten thousand hosts.
// browser.mjs says what its driver has to do; this one also wants
//
//   DCVIX_E2E_CONTROL   starts, stops and kills "director", "dcv" and "agent"
//                       (POST /start/NAME …) and writes the policy (PUT /policy/FILE)
//
// and begins with nothing running and no agent known.
import assert from "node:assert/strict";
import { before, test } from "node:test";

import {
  admin,
  base,
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
import { answerFrom, Fleet, problem } from "./fleet.mjs";

const control = need("DCVIX_E2E_CONTROL");
const limit = { timeout: 600_000 };
const recorded = new RegExp(`^${server}(\\.|$)`); // the host's name as the director has it
const pages = ["Overview", "Hosts", "Sessions", "Agents", "Access", "Audit"];

async function hand(method, path, body) {
  const answer = await fetch(control + path, { method, body });
  assert.equal(answer.status, 200, await answer.text());
}

before(async () => {
  const users = [
    { id: user.name, workstations: [server] },
    { id: admin.name, admin: true },
  ];
  await hand("PUT", "/policy/pools.json", "[]");
  await hand("PUT", "/policy/users.json", JSON.stringify(users));
  await hand("POST", "/start/director");
});

/** tabTo presses Tab until what it reaches has a name, and fails when it reaches nothing such. */
async function tabTo(page, name) {
  const is = (text) => (typeof name === "string" ? text === name : name.test(text));
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const one = document.activeElement;
      return one?.getAttribute("aria-label") ?? one?.textContent ?? "";
    });
    if (is(at)) return;
  }
  assert.fail(`Tab does not reach "${String(name)}"`);
}

/** rail goes to a page by the rail at the side. */
async function rail(page, name) {
  await page.getByRole("navigation").getByRole("link", { name }).click();
  await page.getByRole("heading", { name, level: 1 }).waitFor();
}

/** go presses the two keys that lead to a page. */
async function go(page, letter, title) {
  await page.keyboard.press("g");
  await page.keyboard.press(letter);
  await page.getByRole("heading", { name: title, level: 1 }).waitFor();
}

test("a console without hosts says what to run on one", limit, async () => {
  const page = await open("admin/");
  await page.getByLabel("User").waitFor();
  await picture("admin-login");
  await logIn(admin);
  for (const name of ["Overview", "Hosts", "Agents"]) {
    await rail(page, name);
    await page.getByText(/director_host = .*ca_fingerprint = [0-9A-F:]{95}/).waitFor();
  }
  await rail(page, "Sessions");
  await page.getByText("Nobody has a desktop open").waitFor();
  quiet();
});

test("an agent appears by itself, is compared and approved with the keyboard alone", limit, async () => {
  const page = await open("admin/");
  await logIn(admin);
  await page.getByText("No host has joined yet").waitFor();
  await hand("POST", "/start/dcv");
  await hand("POST", "/start/agent");
  await page.getByRole("button", { name: "Compare & approve" }).waitFor(); // nobody reloaded the page
  await page.getByLabel("1 waiting").waitFor();
  await tabTo(page, "Compare & approve");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.getByText(/^SHA256 [0-9A-F:]{95}$/).waitFor();
  await picture("admin-approve");
  await tabTo(page, "Approve");
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Compare & approve" }).waitFor({ state: "detached" });

  await go(page, "h", "Hosts");
  await page.getByRole("link", { name: recorded }).waitFor();
  quiet();
});

test("a session of the portal is seen at once and closed with the keyboard alone", limit, async () => {
  let page = await open("");
  await logIn(user);
  const card = page.getByRole("region", { name: server, exact: true });
  await card.getByRole("button", { name: "Open", exact: true }).click();
  await card.getByRole("link", { name: "Browser" }).waitFor();

  page = await open("admin/");
  await logIn(admin);
  await go(page, "s", "Sessions");
  const row = page.getByRole("link", { name: user.name, exact: true });
  await row.waitFor();
  await tabTo(page, user.name);
  await page.keyboard.press("Enter");
  const panel = page.getByRole("dialog", { name: new RegExp(`^${user.name} on `) });
  await panel.waitFor();
  await picture("admin-session");
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "hidden" });
  await until(() => row.evaluate((link) => link === document.activeElement)); // the focus comes back

  await page.keyboard.press("Tab"); // into the row
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.getByText(new RegExp(`^Close ${user.name}'s .* session on ${server}`)).waitFor();
  await picture("admin-close");
  await tabTo(page, "Close the session");
  await page.keyboard.press("Enter");
  await row.waitFor({ state: "detached" });
  quiet();
});

test("a host is drained with a word for people, and let in again", limit, async () => {
  const page = await open("admin/#/hosts");
  await logIn(admin);
  await tabTo(page, recorded);
  await page.keyboard.press("Enter");
  const panel = page.getByRole("dialog", { name: recorded });
  await panel.getByRole("img", { name: /^CPU over the last hour: now/ }).waitFor();
  await picture("admin-host");
  await tabTo(page, "Drain");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: /^Drain / }).waitFor();
  await until(() => page.evaluate(() => document.activeElement?.tagName === "INPUT"));
  await page.keyboard.type("new disk");
  await picture("admin-drain");
  await page.keyboard.press("Enter");
  await panel.getByText("drained: new disk").waitFor();
  await tabTo(page, "Let new sessions in again");
  await page.keyboard.press("Enter");
  await panel.getByText("ready", { exact: true }).waitFor();
  quiet();
});

test("the search finds a host, and the policy says who reaches it", limit, async () => {
  const page = await open("admin/");
  await logIn(admin);
  await page.getByPlaceholder("Search everything").waitFor();
  const field = page.getByPlaceholder("Search everything");
  await page.keyboard.press("/");
  await until(() => field.evaluate((one) => one === document.activeElement));
  await field.pressSequentially(server, { delay: 30 });
  await page.getByRole("option", { name: recorded }).first().waitFor();
  await picture("admin-search");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  const panel = page.getByRole("dialog", { name: recorded });
  await panel.getByRole("link", { name: user.name, exact: true }).click();
  await page.getByRole("heading", { name: "Access", level: 1 }).waitFor();
  await page.getByText(`user "${user.name}" (users.json:1)`).first().waitFor();
  await picture("admin-user");

  await page.getByLabel("Its name").fill(server);
  await page.getByLabel("On a").selectOption("host");
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByText(new RegExp(`^The desktop would be on ${server}`)).waitFor();
  quiet();
});

test("an agent is revoked and let in again, and the audit has it", limit, async () => {
  const page = await open("admin/#/agents");
  await logIn(admin);
  await tabTo(page, recorded);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page
    .getByRole("dialog")
    .getByText(new RegExp(`^Revoke ${server}`))
    .waitFor();
  await tabTo(page, "Revoke it");
  await page.keyboard.press("Enter");
  await page.getByText("revoked", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Reactivate" }).click();
  await page.getByText("registered", { exact: true }).waitFor();

  await go(page, "u", "Audit");
  await page.getByLabel("Action").fill("agent.revoke");
  await page.getByText("1 record", { exact: true }).waitFor();
  assert.match(page.url(), /action=agent\.revoke/);
  await page.reload();
  await page.getByText("1 record", { exact: true }).waitFor();
  quiet();
});

const mistakes = [
  {
    file: "users.json",
    line: 7,
    entry: 'user "bob"',
    problem: 'names the pool "GPU pol", which is not in pools.json',
    suggestion: 'Write "GPU pool".',
  },
];
const refused = (route) =>
  route.fulfill({
    status: 503,
    json: problem(503, "The store cannot be reached. Look at the director's log."),
  });
const never = () => undefined;
const lists = {
  Overview: "/v1/admin/overview",
  Hosts: "/v1/servers",
  Sessions: "/v1/sessions",
  Agents: "/v1/admin/agents",
  Access: "/v1/admin/policy",
  Audit: "/v1/admin/audit",
};

for (const name of pages) {
  const path = name.toLowerCase();
  test(`the page ${name} is good to read in each of its states`, limit, async () => {
    const page = await open("");
    const to = async (fleet, also = {}) => {
      await page.unrouteAll({ behavior: "ignoreErrors" });
      await answerFrom(page, fleet, also);
      await page.goto(new URL(`admin/?${String(Math.random())}#/${path}`, base).href);
      await page.getByRole("heading", { name, level: 1 }).waitFor();
    };
    await to(new Fleet());
    await page.getByText(/^Loading/).waitFor({ state: "detached" });
    await page.locator(".mantine-Alert-root, .all-well").first().waitFor();
    await picture(`admin-${path}-empty`);

    await to(new Fleet({ hosts: 20 }), { [lists[name]]: never });
    await page.getByLabel(/^Loading the/).waitFor();
    await picture(`admin-${path}-loading`);

    await to(new Fleet({ hosts: 20 }), { [lists[name]]: refused });
    await page.getByText("The store cannot be reached. Look at the director's log.").waitFor();
    await picture(`admin-${path}-error`);

    const also = {};
    await to(new Fleet({ hosts: 10_000, pending: 2, problems: mistakes }), also);
    await page.locator(".list tbody a, .attention").first().waitFor();
    if (name === "Hosts") await page.getByText("10,000 hosts").waitFor();
    if (name === "Sessions") await page.getByText("20,000 sessions").waitFor();
    await picture(`admin-${path}`);
    await page.setViewportSize(phone);
    await inBothThemes(fits);
    if (name === "Hosts" || name === "Overview") await picture(`admin-${path}-phone`);
    await page.setViewportSize({ width: 2560, height: 1200 });
    await fits();
    await page.setViewportSize({ width: 1200, height: 720 });

    also["/v1/"] = (route) => route.abort();
    await page.getByText(/^The director does not answer/).waitFor();
    await page.locator(".list tbody a, .attention").first().waitFor(); // what was shown stays
    await picture(`admin-${path}-away`);
  });
}
