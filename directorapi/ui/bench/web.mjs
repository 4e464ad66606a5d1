// Measures the pages in a real browser against a running director: how much the
// first load is, how soon somebody can act on a slow machine, and how a list of ten
// thousand hosts keeps up. scripts/bench-web drives it; figures go to standard
// output, and each is the median of five.
//
//   DCVIX_E2E_URL, DCVIX_E2E_USER, DCVIX_E2E_PASSWORD, DCVIX_E2E_ADMIN,
//   DCVIX_E2E_ADMIN_PASSWORD, CHROMIUM   as for the walks in e2e/
import { chromium } from "playwright-core";

import { answerFrom, Fleet } from "../e2e/fleet.mjs";

const base = new URL(process.env.DCVIX_E2E_URL);
const user = { name: process.env.DCVIX_E2E_USER, password: process.env.DCVIX_E2E_PASSWORD };
const admin = { name: process.env.DCVIX_E2E_ADMIN, password: process.env.DCVIX_E2E_ADMIN_PASSWORD };
const runs = 5;
const slowDown = 4;
const patience = 120_000;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
});

const settings = { ignoreHTTPSErrors: true, viewport: { width: 1200, height: 720 } };

/** fresh opens a browser profile with nothing kept in it but what a login left. */
async function fresh(storageState) {
  const context = await browser.newContext({ ...settings, ...(storageState ? { storageState } : {}) });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  return { context, page, cdp: await context.newCDPSession(page) };
}

async function logIn({ name, password }, path) {
  const { context, page } = await fresh();
  await page.goto(new URL(path, base).href);
  await page.getByLabel("User").fill(name);
  await page.getByRole("textbox", { name: "Password" }).fill(password);
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "Log out" }).waitFor();
  const state = await context.storageState();
  await context.close();
  return state;
}

async function median(measure) {
  const all = [];
  for (let i = 0; i < runs; i++) all.push(await measure());
  return all.toSorted((a, b) => a - b)[Math.floor(runs / 2)];
}

/** loaded returns the kB that came over the wire until a page could be used. */
async function loaded(path, ready, state) {
  const { context, page, cdp } = await fresh(state);
  await cdp.send("Network.enable");
  let bytes = 0;
  cdp.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  await page.goto(new URL(path, base).href);
  await page.locator(ready).first().waitFor();
  await context.close();
  return bytes / 1000;
}

/** usable returns the milliseconds from the address bar to something that takes input. */
async function usable(path, ready, state) {
  const { context, page, cdp } = await fresh(state);
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: slowDown });
  await page.addInitScript((ready) => {
    const look = () => {
      if (document.querySelector(ready)) window.usableAt = performance.now();
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, ready);
  await page.goto(new URL(path, base).href);
  await page.waitForFunction(() => window.usableAt !== undefined);
  const at = await page.evaluate(() => window.usableAt);
  await context.close();
  return at;
}

// A stream of events in the hands of this program.
function fakeStream() {
  window.EventSource = class extends EventTarget {
    constructor() {
      super();
      window.stream = this;
      setTimeout(() => this.say("resync", {}));
    }
    say(kind, data) {
      this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data) }));
    }
    close() {}
  };
}

/** list returns how soon a long list shows rows, and its longest frame while all rows change. */
async function list(fleet, link, changes) {
  const { context, page } = await fresh();
  await page.addInitScript(fakeStream);
  await answerFrom(page, fleet);
  await page.goto(new URL("admin/#/access", base).href);
  const to = page.getByRole("navigation").getByRole("link", { name: link });
  await to.waitFor();
  await page.evaluate((link) => {
    document.addEventListener("click", () => {
      const began = performance.now();
      const look = () => {
        const there = document.querySelector("h1")?.textContent === link;
        if (there && document.querySelectorAll("tbody td").length > 20)
          window.shownAfter = performance.now() - began;
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
  }, link);
  await to.click();
  await page.waitForFunction(() => window.shownAfter !== undefined);
  const shown = await page.evaluate(() => window.shownAfter);

  const all = link === "Hosts" ? fleet.size : fleet.sessions;
  await page.getByRole("status").getByText(all.toLocaleString("en-GB")).waitFor();
  await page.waitForTimeout(3_000); // until the first loading has come to rest
  const before = await page.locator("tbody").first().innerText();
  fleet.turn();
  await page.evaluate((changes) => {
    window.longest = 0;
    let last = performance.now();
    const frame = (now) => {
      window.longest = Math.max(window.longest, now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    window.stream.say("changes", changes);
  }, changes);
  await page.waitForFunction((before) => document.querySelector("tbody").innerText !== before, before);
  await page.waitForTimeout(1_000);
  const frame = await page.evaluate(() => window.longest);
  await context.close();
  return { shown, frame };
}

function say(what, target, value, unit) {
  const met = value <= target ? "" : "  misses it";
  console.log(
    `${what.padEnd(58)} ${String(target).padStart(5)} ${value.toFixed(0).padStart(6)} ${unit}${met}`,
  );
}

console.log(`${"what, median of 5".padEnd(58)} target measured`);
const asUser = await logIn(user, "");
const asAdmin = await logIn(admin, "admin/");
const loginField = "form input:focus";
const act = "button.act:focus";
const overview = "main h1";
say("first load of the portal", 250, await median(() => loaded("", loginField)), "kB");
say("first load of the console", 250, await median(() => loaded("admin/", loginField)), "kB");
say("portal: login takes input, CPU 4 x slower", 1_000, await median(() => usable("", loginField)), "ms");
say(
  "portal: desktop can be opened, CPU 4 x slower",
  1_000,
  await median(() => usable("", act, asUser)),
  "ms",
);
say(
  "console: first page, CPU 4 x slower",
  1_000,
  await median(() => usable("admin/", overview, asAdmin)),
  "ms",
);

const fleet = new Fleet({ hosts: 10_000, sessionsEach: 2 });
fleet.sessions = Array.from({ length: fleet.size }, (_, n) => fleet.sessionsOf(n).length).reduce(
  (a, b) => a + b,
);
const names = Array.from({ length: fleet.size }, (_, n) => fleet.hostname(n));
const changes = { servers: names, sessions: names, agents: [] };
for (const link of ["Hosts", "Sessions"]) {
  const all = [];
  for (let i = 0; i < runs; i++) all.push(await list(fleet, link, changes));
  const middle = (of) => all.map(of).toSorted((a, b) => a - b)[Math.floor(runs / 2)];
  const rows = (link === "Hosts" ? fleet.size : fleet.sessions).toLocaleString("en-GB");
  say(
    `${rows} ${link.toLowerCase()}: rows are there`,
    1_000,
    middle((one) => one.shown),
    "ms",
  );
  say(
    `${rows} ${link.toLowerCase()}: longest frame, all rows change`,
    50,
    middle((one) => one.frame),
    "ms",
  );
}
await browser.close();
