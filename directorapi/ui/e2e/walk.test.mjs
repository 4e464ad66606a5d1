// Walks through both pages of a running director, as an admin and as a person.
// A driver starts the director and an agent first and says where they are:
//
//   DCVIX_E2E_URL             the director, e.g. https://127.0.0.1:8445/
//   DCVIX_E2E_USER            somebody with a desktop on DCVIX_E2E_SERVER
//   DCVIX_E2E_PASSWORD
//   DCVIX_E2E_ADMIN           somebody whom the policy makes an admin
//   DCVIX_E2E_ADMIN_PASSWORD
//   DCVIX_E2E_SERVER          the name of the host, as the policy writes it
//   DCVIX_E2E_IMAGES          folder for the pictures; absent: none are taken
//   CHROMIUM                  the browser; absent: /usr/bin/chromium
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";

import { chromium } from "playwright-core";

function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start this through its driver`);
  return value;
}

const base = new URL(need("DCVIX_E2E_URL").replace(/\/*$/, "/"));
const user = { name: need("DCVIX_E2E_USER"), password: need("DCVIX_E2E_PASSWORD") };
const admin = { name: need("DCVIX_E2E_ADMIN"), password: need("DCVIX_E2E_ADMIN_PASSWORD") };
const server = need("DCVIX_E2E_SERVER");
const images = process.env.DCVIX_E2E_IMAGES;

let browser;
let page;
let complaints;

before(async () => {
  if (images) await mkdir(images, { recursive: true });
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=MAP *.localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE ${base.hostname}`,
    ],
  });
});

after(async () => {
  await browser?.close();
});

afterEach(async () => {
  await page?.context().close();
});

/** open starts a fresh browser profile on one of the two pages. */
async function open(path) {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: { width: 1200, height: 720 },
    reducedMotion: "reduce",
  });
  page = await context.newPage();
  page.setDefaultTimeout(15_000);
  complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "blob:" && url.origin !== base.origin) complaints.push(`request to ${url.origin}`);
  });
  page.on("console", (message) => {
    // The browser writes a line for the 401 by which a page learns that nobody is logged in.
    const isProbe = message.location().url.endsWith("/v1/auth-health") && message.text().includes("401");
    if (message.type() === "error" && !isProbe) complaints.push(message.text());
  });
  await page.goto(new URL(path, base).href);
}

async function logIn({ name, password }) {
  const field = page.getByLabel("User");
  await field.waitFor();
  assert.ok(
    await field.evaluate((element) => element === element.ownerDocument.activeElement),
    "focus is in the user field",
  );
  await field.fill(name);
  await page.getByRole("textbox", { name: "Password" }).fill(password);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Log out" }).waitFor();
}

/** picture takes the page in both themes. */
async function picture(name) {
  if (!images) return;
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(images, `${name}-${colorScheme}.png`), animations: "disabled" });
  }
  await page.emulateMedia({ colorScheme: "light" });
}

test("an admin lets the agent in and sees its host", { timeout: 180_000 }, async () => {
  await open("admin/");
  await page.getByLabel("User").waitFor();
  await picture("admin-login");
  await logIn(admin);

  const pending = page.getByRole("article");
  const registered = page.getByRole("cell", { name: "registered" });
  await pending.or(registered).first().waitFor({ timeout: 60_000 });
  if ((await pending.count()) > 0) await picture("admin-agents-first");
  while ((await pending.count()) > 0) {
    const before = await pending.count();
    await pending.first().getByRole("button", { name: "Approve" }).click();
    while ((await pending.count()) === before) await page.waitForTimeout(100);
  }
  await registered.first().waitFor();
  await picture("admin-agents");

  await page.getByRole("link", { name: "Hosts" }).click();
  await page.getByRole("cell", { name: server }).first().waitFor({ timeout: 90_000 }); // its agent asks every 30 s
  await picture("admin-hosts");
  await page.getByRole("link", { name: "Sessions" }).click();
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  assert.deepEqual(complaints, []);
});

test("a person opens a desktop, sees it and closes it", { timeout: 120_000 }, async () => {
  await open("");
  await page.getByLabel("User").waitFor();
  await picture("portal-login");
  await logIn(user);

  const card = page.getByRole("region", { name: server, exact: true });
  await card.waitFor();
  await picture("portal-desktops");
  await card.getByRole("button", { name: /^(Open|Resume)$/ }).click();
  const link = card.getByRole("link", { name: "Browser" });
  await link.waitFor({ timeout: 60_000 });
  await picture("portal-ready");

  const [desktop] = await Promise.all([page.context().waitForEvent("page"), link.click()]);
  await desktop.getByText(user.name).first().waitFor();
  if (images) await desktop.screenshot({ path: join(images, "desktop.png") });
  await desktop.close();

  await card.getByRole("button", { name: "Close" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(server).waitFor();
  await picture("portal-close");
  await dialog.getByRole("button", { name: "Close the session" }).click();
  await dialog.waitFor({ state: "hidden" });
  await card.getByText("No session").waitFor({ timeout: 30_000 });

  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel("User").waitFor();
  assert.deepEqual(complaints, []);
});
