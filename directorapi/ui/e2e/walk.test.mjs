// Walks through both pages of a running director, as an admin and as a person.
// browser.mjs says what its driver has to do.
import { join } from "node:path";
import { test } from "node:test";

import { admin, images, logIn, open, picture, quiet, server, user } from "./browser.mjs";

test("an admin lets the agent in and sees its host", { timeout: 600_000 }, async () => {
  const page = await open("admin/#/agents");
  await page.getByLabel("User").waitFor();
  await logIn(admin);

  const pending = page.getByRole("button", { name: "Approve", exact: true });
  const registered = page.getByText("registered", { exact: true });
  await pending.or(registered).first().waitFor();
  if ((await pending.count()) > 0) await pending.first().click();
  await registered.first().waitFor();

  await page.getByRole("link", { name: "Hosts" }).click();
  await page.getByText(server).first().waitFor();
  await page.getByRole("link", { name: "Sessions" }).click();
  await page.getByRole("heading", { name: "Sessions" }).waitFor();
  quiet();
});

test("a person opens a desktop, sees it and closes it", { timeout: 600_000 }, async () => {
  const page = await open("");
  await page.getByLabel("User").waitFor();
  await logIn(user);

  const card = page.getByRole("region", { name: server, exact: true });
  await card.getByRole("button", { name: /^(Open|Resume)$/ }).click();
  const link = card.getByRole("link", { name: "Browser" });
  await link.waitFor();
  await picture("portal-opened");

  const [desktop] = await Promise.all([page.context().waitForEvent("page"), link.click()]);
  await desktop.getByText(user.name).first().waitFor();
  if (images) await desktop.screenshot({ path: join(images, "desktop.png") });
  await desktop.close();

  await card.getByRole("button", { name: `More about ${server}` }).click();
  await picture("portal-menu");
  await page.getByRole("menuitem", { name: "Close the session" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText(server).waitFor();
  await picture("portal-close");
  await dialog.getByRole("button", { name: "Close the session" }).click();
  await dialog.waitFor({ state: "hidden" });
  await card.getByText("Ready").waitFor();

  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel("User").waitFor();
  quiet();
});
