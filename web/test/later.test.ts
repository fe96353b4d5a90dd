// The script of the dialogs, which comes after the first sight: there when it is asked for, and no dead button where it
// does not come.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { audit, browserPresent, launch, open, shoot, type Watched } from "./browser";
import { serveFake, type Served } from "./serve";

const script = "**/assets/dialogs-*.js";

describe.runIf(browserPresent())("what comes later", () => {
  let browser: Browser;
  let inside: Served;
  let outside: Served;

  beforeAll(async () => {
    inside = await serveFake(true);
    outside = await serveFake(false);
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    inside?.close();
    outside?.close();
  });

  // without opens the page of a server that does not give the script out.
  async function without(server: Served, dark = false): Promise<Watched> {
    const watched = await open(browser, { dark });
    await watched.page.route(script, (route) => route.abort("connectionrefused"));
    await watched.page.goto(server.origin);
    return watched;
  }

  async function isFocused(page: Page, name: string): Promise<void> {
    await page.getByRole("button", { name, exact: true }).and(page.locator(":focus")).waitFor();
  }

  test("is fetched before anybody asks, and then needs no connection", async () => {
    const { page, context, wrong } = await open(browser);
    await Promise.all([page.waitForResponse((response) => /\/assets\/dialogs-[\w-]+\.js$/.test(response.url())), page.goto(inside.origin)]);
    await context.setOffline(true);
    await page.getByRole("button", { name: "New room" }).first().click();
    await page.getByRole("dialog", { name: "New room" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("says that a dialog did not come, and brings it when asked again", async () => {
    const { page, context, wrong } = await without(inside);
    await page.getByRole("button", { name: "New room" }).first().click();
    const waiting = page.getByRole("dialog", { name: "Not there yet" });
    await waiting.getByRole("alert").getByText("This part of the page could not be loaded").waitFor();
    await isFocused(page, "Try again");
    await shoot(page, "later-failed-light");
    expect(await audit(page)).toEqual([]);
    await Promise.all([page.waitForEvent("requestfailed"), page.keyboard.press("Enter")]);
    await waiting.getByRole("alert").waitFor();
    await page.unroute(script);
    await waiting.getByRole("button", { name: "Try again" }).click();
    await page.getByRole("dialog", { name: "New room" }).waitFor();
    await waiting.waitFor({ state: "detached" });
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("goes back to the rooms, or loads the page anew, where the server has a newer page", async () => {
    const { page, context } = await without(inside, true);
    await page.getByRole("button", { name: /you, your devices/ }).click();
    await page.getByRole("alert").getByText("could not be loaded").waitFor();
    await shoot(page, "later-failed-dark");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Not now" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("button", { name: /you, your devices/ }).click();
    await page.getByRole("button", { name: "Reload" }).waitFor();
    await page.unroute(script);
    await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: "Reload" }).click()]);
    await page.getByRole("button", { name: /you, your devices/ }).click();
    await page.getByRole("dialog", { name: "You" }).waitFor();
    await context.close();
  });

  test("leaves the passphrase as a way in where the code's form does not come", async () => {
    const { page, context, wrong } = await without(outside);
    await page.getByRole("button", { name: "Use a code from another device" }).click();
    await page.getByRole("alert").getByText("could not be loaded").waitFor();
    await shoot(page, "later-failed-outside");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Not now" }).click();
    await page.getByLabel("Passphrase", { exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });
});
