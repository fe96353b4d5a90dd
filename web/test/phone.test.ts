// The page on a phone, over the scripted core: nothing is out of sight, and the keyboard is never nowhere.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { audit, browserPresent, launch, open, shoot, type Watched } from "./browser";
import { serveFake, type Served } from "./serve";

const look = { width: 390, height: 844, touch: true };

describe.runIf(browserPresent())("the page on a phone", () => {
  let browser: Browser;
  let served: Served;

  beforeAll(async () => {
    served = await serveFake(true);
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    served?.close();
  });

  async function main(): Promise<Watched> {
    const watched = await open(browser, look);
    await watched.page.goto(served.origin);
    await watched.page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    return watched;
  }

  async function enter(page: Page, name: RegExp): Promise<void> {
    await page.getByRole("navigation").getByRole("button", { name }).click();
    await page.getByRole("textbox", { name: new RegExp(`^Message to .*${name.source}`) }).waitFor();
  }

  // overflowing gives what is wider than its place in the dialog that is open.
  const overflowing = (page: Page): Promise<string[]> =>
    page.evaluate(() => {
      const dialog = document.querySelector("dialog[open]");
      const edge = dialog?.getBoundingClientRect();
      if (dialog === null || edge === undefined) return ["there is no dialog"];
      return [...dialog.querySelectorAll(".sheet *")]
        .filter((element) => !element.closest(".sr-only, svg, option"))
        .filter((element) => element.getBoundingClientRect().right > edge.right - 8 || element.getBoundingClientRect().left < edge.left)
        .map((element) => `${element.tagName} ${element.textContent.slice(0, 40)}`)
        .filter((_, index) => index < 5);
    });

  const focused = (page: Page): Promise<string> => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent?.trim() ?? "");

  test("shows what there is to do about a room, whatever it is called", async () => {
    const { page, context, wrong } = await main();
    await page.getByRole("button", { name: "New room" }).first().click();
    await page.getByLabel("Name").fill("W".repeat(64));
    await page.getByRole("button", { name: "Make the room" }).click();
    await page.getByRole("textbox", { name: /^Message to/ }).waitFor();
    await page.getByRole("button", { name: "About this room" }).click();
    await page.getByRole("button", { name: "Leave" }).waitFor();
    await shoot(page, "phone-long-name");
    expect(await overflowing(page)).toEqual([]);
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(look.width);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("names every member beside what can be done to them", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /Allotment/);
    await page.getByRole("button", { name: "About this room" }).click();
    await page.getByRole("button", { name: "Remove bob" }).waitFor();
    await shoot(page, "phone-members");
    for (const handle of ["bob", "carol.m", "dave"]) {
      const name = await page.getByRole("dialog").getByText(handle, { exact: true }).boundingBox();
      const remove = await page.getByRole("button", { name: `Remove ${handle}` }).boundingBox();
      expect(name?.width, `the width of ${handle}`).toBeGreaterThan(20);
      expect((remove?.y ?? 0) - (name?.y ?? 0), `how far the button to remove ${handle} is below the name`).toBeLessThan(60);
    }
    expect(await overflowing(page)).toEqual([]);
    expect(await audit(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Back to the rooms" }).click();
    await page.getByRole("button", { name: /your devices/ }).click();
    await page.getByRole("button", { name: "Revoke Terminal on desk" }).waitFor();
    expect(await overflowing(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("says that there is no connection in the list of rooms as well", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /bob/);
    await page.getByRole("textbox", { name: /^Message to/ }).fill("/offline");
    await page.keyboard.press("Enter");
    await page.getByText("No connection").waitFor();
    await page.getByRole("button", { name: "Back to the rooms" }).click();
    await page.getByText("No connection").waitFor();
    await shoot(page, "phone-rooms-offline");
    expect(await audit(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("tells of devices that have come, in a room and above the rooms, until somebody has looked", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /bob/);
    await page.getByRole("textbox", { name: /^Message to/ }).fill("/devices 5 /passphrase");
    await page.keyboard.press("Enter");
    const told = page.getByRole("status").filter({ hasText: "Your passphrase was changed on another device" });
    await told.getByText("And 3 more before.").waitFor();
    await told.getByText("If that was not you, revoke it and change your passphrase.").waitFor();
    await shoot(page, "phone-alerts");
    expect(await audit(page)).toEqual([]);
    // What is written and read is still there, beside all that is told.
    expect((await page.getByRole("textbox", { name: /^Message to/ }).boundingBox())?.y).toBeLessThan(look.height - 30);
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(look.width);
    await page.getByRole("button", { name: "Back to the rooms" }).click();
    await told.waitFor();
    await shoot(page, "phone-alerts-rooms");
    await page.getByRole("button", { name: "Devices", exact: true }).click();
    await expect.poll(() => page.getByRole("dialog", { name: "You" }).getByText("New", { exact: true }).count()).toBe(5);
    expect(await overflowing(page)).toEqual([]);
    await page.getByRole("button", { name: /^Revoke Firefox/ }).first().click();
    await page.getByRole("button", { name: "Revoke it" }).click();
    await expect.poll(() => page.getByRole("dialog", { name: "You" }).getByText("New", { exact: true }).count()).toBe(4);
    await page.keyboard.press("Escape");
    // Three are shown at a time, and what was not shown is not dismissed.
    await page.getByText("And 2 more before.").waitFor();
    await page.getByRole("button", { name: "Dismiss" }).focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => page.getByText(/more before/).count()).toBe(0);
    await expect.poll(() => page.getByText("New device signed in:").count()).toBe(2);
    await expect.poll(() => focused(page)).toBe("Dismiss");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.getByText("New device signed in:").count()).toBe(0);
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("role"))).toBe("status");
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("keeps the keyboard where it was when a room or a dialog is closed", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /Allotment/);
    await page.getByRole("button", { name: "About this room" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: /safety number with bob/ }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog", { name: "You and bob" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog", { name: "Allotment committee" }).waitFor();
    await page.keyboard.press("Escape");
    await expect.poll(() => focused(page)).toBe("About this room");
    await page.getByRole("button", { name: "Back to the rooms" }).focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => focused(page)).toMatch(/^Allotment committee/);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("goes back from a dialog, from a room, and not out of the page with what is being written", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /bob/);
    await page.getByRole("textbox", { name: /^Message to/ }).fill("half a dra");
    await page.getByRole("button", { name: "About this room" }).click();
    await page.getByRole("dialog", { name: "bob" }).waitFor();
    await page.goBack();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.getByRole("textbox", { name: /^Message to/ }).waitFor();
    await page.goBack();
    await page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    await enter(page, /bob/);
    await expect.poll(() => page.getByRole("textbox", { name: /^Message to/ }).inputValue()).toBe("half a dra");
    // The arrow leaves nothing behind to go back to, nor does a page that is loaded again.
    await page.getByRole("button", { name: "Back to the rooms" }).click();
    await expect.poll(() => page.evaluate(() => history.state as unknown)).toBeNull();
    await enter(page, /bob/);
    await page.reload();
    await page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    await expect.poll(() => page.evaluate(() => history.state as unknown)).toBeNull();
    await page.goBack();
    expect(page.url()).toBe("about:blank");
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("says that something could not be copied, and what to do", async () => {
    const { page, context, wrong } = await main();
    await page.evaluate(() => {
      navigator.clipboard.writeText = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    });
    await page.getByRole("button", { name: "Invite somebody" }).first().click();
    await page.getByRole("button", { name: "Copy link" }).click();
    await page.getByText("Not copied: select it and copy it yourself").waitFor();
    await shoot(page, "phone-not-copied");
    expect(await overflowing(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });
});
