// What the walks share: a browser, somebody's hands in it, pictures, and the look
// for what keeps people out. A driver says where the director is:
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
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before } from "node:test";

import { chromium } from "playwright-core";

/** need returns what the driver says under a name. */
export function need(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start this through its driver`);
  return value;
}

/** base is the director's root, as it is without a proxy. */
export const base = new URL(need("DCVIX_E2E_URL").replace(/\/*$/, "/"));
export const user = { name: need("DCVIX_E2E_USER"), password: need("DCVIX_E2E_PASSWORD") };
export const admin = { name: need("DCVIX_E2E_ADMIN"), password: need("DCVIX_E2E_ADMIN_PASSWORD") };
export const server = need("DCVIX_E2E_SERVER");
export const images = process.env.DCVIX_E2E_IMAGES;
export const wide = { width: 1200, height: 720 };
export const phone = { width: 390, height: 844 };

/** patience is for what may take a machine ten times slower, in milliseconds. */
export const patience = 60_000;

let browser;
let page;
let complaints;
const axe = await readFile(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");

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
  page = undefined;
});

/** open starts a fresh browser profile on a page; `at` is the director, or a proxy before it. */
export async function open(path, { viewport = wide, at = base } = {}) {
  await page?.context().close();
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport, reducedMotion: "reduce" });
  page = await context.newPage();
  page.setDefaultTimeout(patience);
  complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "blob:" && url.origin !== at.origin) complaints.push(`request to ${url.origin}`);
  });
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`${message.text()} (${message.location().url})`);
  });
  await page.goto(new URL(path, at).href);
  return page;
}

/**
 * quiet sees that the page has complained of nothing but what the test expects.
 * The browser writes a line for the 401 by which a page learns that nobody is
 * logged in.
 */
export function quiet(...expected) {
  const probe = /status of 401.*\/v1\/auth-health/;
  const others = complaints.filter((line) => ![probe, ...expected].some((known) => known.test(line)));
  assert.deepEqual(others, []);
}

/** logIn logs somebody in, with the keyboard alone once the page is there. */
export async function logIn({ name, password }) {
  await page.getByLabel("User").waitFor();
  await until(() => page.getByLabel("User").evaluate((field) => field === document.activeElement));
  await page.keyboard.type(name);
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Log out" }).waitFor();
}

/** until waits for what no locator can wait for. */
export async function until(so) {
  const end = Date.now() + patience;
  while (!(await so())) {
    assert.ok(Date.now() < end, `it did not come to: ${so}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const themes = ["light", "dark"];

/** inBothThemes does something in the light and in the dark theme. */
export async function inBothThemes(act) {
  for (const colorScheme of themes) {
    await page.emulateMedia({ colorScheme });
    await act(colorScheme);
  }
  await page.emulateMedia({ colorScheme: themes[0] });
}

/** picture takes the page in both themes and sees that it keeps nobody out. */
export async function picture(name) {
  await inBothThemes(async (theme) => {
    await accessible(`${name} in the ${theme} theme`);
    if (!images) return;
    await page.screenshot({ path: join(images, `${name}-${theme}.png`), animations: "disabled" });
  });
}

/** accessible fails with what axe finds on the page. */
export async function accessible(what) {
  await page.evaluate(axe); // not as a script of the page: its content security policy allows none
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.flatMap(({ id, help, nodes }) =>
    nodes.map(
      (node) =>
        `${id}: ${help}: ${node.html.slice(0, 160)} ${[...node.any, ...node.all, ...node.none].map((one) => one.message).join(" ")}`,
    ),
  );
  assert.deepEqual(found, [], `axe finds on ${what}`);
}

/** fits sees that nothing sticks out of the page to the right. */
export async function fits() {
  const [content, width] = await page.evaluate(() => [
    document.documentElement.scrollWidth,
    document.documentElement.clientWidth,
  ]);
  assert.ok(content <= width, `the page is ${content} px wide on a screen of ${width} px`);
}
