// An account over the real binary: a second browser by a code, the safety number beside a terminal's, another passphrase,
// a device that is revoked. And the dead ends that others are known for: no field for the secret, a reset that nobody
// needed or one after the other, a way back that says it worked and shows nothing.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch, open, shoot, type Watched } from "./browser";
import { enter, ready, said, say, Server, settled, signUp } from "./people";
import { Terminal } from "./terminal";

describe.runIf(ready())("an account", () => {
  const server = new Server();
  const bob = new Terminal("pebble wagon orchard violin candle river");
  const changed = "walnut 8 saddle prairie clarinet bucket";
  let browser: Browser;
  let laptop: Watched;
  let phone: Watched;
  let first = "";

  beforeAll(async () => {
    await server.start();
    browser = await launch();
    laptop = await open(browser);
    phone = await open(browser, { width: 390, height: 780, touch: true });
  });
  afterAll(async () => {
    await browser?.close();
    await server.end();
    bob.end();
  });

  async function settings(page: Page): Promise<void> {
    await page.locator("button.you").click();
    await page.getByRole("dialog", { name: "You" }).waitFor();
  }

  async function signIn(page: Page, passphrase: string): Promise<void> {
    await page.getByLabel("Handle").fill("alice");
    await page.getByLabel("Passphrase", { exact: true }).fill(passphrase);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
  }

  test("two people, one in a browser and one in a terminal", async () => {
    first = await signUp(laptop.page, `${server.origin}/#invite=${server.ready.owner_invite ?? ""}`, "alice");
    await laptop.page.getByRole("button", { name: "Invite somebody" }).first().click();
    const code = new URL(await laptop.page.getByLabel("Link").inputValue()).hash.replace("#invite=", "");
    await laptop.page.keyboard.press("Escape");
    await bob.run("register", "bob", "--server", `${server.ready.tls}#${server.ready.pin}`, "--invite", code, "--passphrase-file", bob.passphraseFile);
    await bob.run("send", "@alice", "Are you there?");
    await enter(laptop.page, /bob/);
    await said(laptop.page, "Are you there?").waitFor();
  });

  test("a second browser comes in by a code, and both show the same digits", async () => {
    await settings(laptop.page);
    await laptop.page.getByRole("button", { name: "Link a new device…" }).click();
    const code = await laptop.page.getByText(/^snug-link-[a-z2-7]{26}$/).innerText();
    await phone.page.goto(server.origin);
    await phone.page.getByRole("button", { name: "Use a code from another device" }).click();
    await phone.page.getByLabel("Code").fill(code);
    await phone.page.getByRole("button", { name: "Go on" }).click();
    const digits = (page: Page) => page.getByRole("status", { name: /^Digits: / });
    await digits(phone.page).waitFor();
    expect(await digits(laptop.page).innerText()).toBe(await digits(phone.page).innerText());
    await shoot(phone.page, "account-digits");
    await phone.page.getByRole("button", { name: "They are the same" }).click();
    await laptop.page.getByRole("button", { name: "They are the same" }).click();
    await laptop.page.getByText("Your new device is in").waitFor();
    await phone.page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    await laptop.page.keyboard.press("Escape");
    // The new one is in the room with the next commit, which the laptop makes; then both read on.
    await phone.page.getByRole("navigation").getByRole("button", { name: /bob/ }).waitFor();
    await bob.run("send", "@alice", "Hello to both of you.");
    await enter(phone.page, /bob/);
    await said(phone.page, "Hello to both of you.").waitFor();
    // What was said before it came is there too, in its place.
    await said(phone.page, "Are you there?").waitFor();
    expect(server.holds("Are you there?")).toBe(false);
    expect(server.holds(code)).toBe(false);
    expect(laptop.wrong.concat(phone.wrong)).toEqual([]);
  });

  test("the page and the terminal show one safety number", async () => {
    const { page } = laptop;
    await page.getByRole("button", { name: "About this room" }).click();
    await page.getByRole("button", { name: "Safety number with bob" }).click();
    const shown = page.getByRole("list", { name: "Safety number" }).getByRole("listitem");
    await shown.first().waitFor(); // the texts of a list are not waited for
    const groups = await shown.allInnerTexts();
    const [contact] = await bob.run("verify", "@alice");
    expect(groups.join(" ")).toBe(contact?.["safety_number"]);
    await page.getByRole("button", { name: "Type their number" }).click();
    await page.getByLabel("What bob sees").fill(String(contact?.["safety_number"]));
    await page.getByRole("button", { name: "Compare", exact: true }).click();
    await page.getByText("You compared this number").waitFor();
    await shoot(page, "account-verified");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
  });

  test("another passphrase holds at once, and the former one is refused in words", async () => {
    const { page } = phone;
    await page.getByRole("button", { name: "Back to the rooms" }).click();
    await settings(page);
    await page.getByRole("button", { name: "Change passphrase…" }).click();
    await page.getByRole("button", { name: "Choose my own instead" }).click();
    await page.getByLabel("New passphrase").fill(changed);
    await page.getByLabel("The passphrase again").fill(changed);
    await page.getByRole("button", { name: "Change passphrase", exact: true }).click();
    await page.getByText("Your passphrase is changed").waitFor();
    await page.getByRole("button", { name: "Done" }).click();
    await page.keyboard.press("Escape");

    const third = await open(browser);
    await third.page.goto(server.origin);
    await signIn(third.page, first);
    await third.page.getByText("unknown handle or wrong passphrase").waitFor();
    // There is a field for the secret, nothing is to be reset, and the right one works where the wrong one stood.
    await signIn(third.page, changed);
    await third.page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    // What works shows something: the room is there, with all that was said in it, and can be written to.
    await enter(third.page, /bob/);
    await said(third.page, "Are you there?").waitFor();
    await said(third.page, "Hello to both of you.").waitFor();
    await shoot(third.page, "account-history");
    await say(third.page, "From the third one.");
    await settled(third.page);
    await said(laptop.page, "From the third one.").waitFor();
    expect(third.wrong).toEqual([]);
    await third.context.close();
  });

  test("the other devices are told of the one that signed in, each until somebody has looked there", async () => {
    const told = (page: Page, what: string) => page.getByRole("status").filter({ hasText: what });
    await told(laptop.page, "New device signed in:").waitFor();
    await told(laptop.page, "If that was not you, revoke it and change your passphrase.").waitFor();
    await told(phone.page, "New device signed in:").waitFor();
    await shoot(laptop.page, "account-alert");
    await shoot(phone.page, "account-alert-phone");
    // Who let the phone in, and who changed the passphrase, is told of neither; and nobody of the devices from before it.
    await laptop.page.reload();
    await told(laptop.page, "Your passphrase was changed on another device").waitFor();
    await expect.poll(() => told(laptop.page, "New device signed in:").getByRole("paragraph").count()).toBe(3); // two alerts, and what to do
    await phone.page.reload();
    await told(phone.page, "New device signed in:").waitFor();
    await expect.poll(() => told(phone.page, "New device signed in:").getByRole("paragraph").count()).toBe(2);
    await laptop.page.getByRole("button", { name: "Dismiss" }).click();
    await told(laptop.page, "New device signed in:").waitFor({ state: "detached" });
    await laptop.page.reload();
    await enter(laptop.page, /bob/);
    await expect.poll(() => told(laptop.page, "New device signed in:").count()).toBe(0);
    // It was dismissed there and nowhere else, and leads to the devices.
    await told(phone.page, "New device signed in:").getByRole("button", { name: "Devices" }).click();
    await phone.page.getByRole("dialog", { name: "You" }).getByText("New", { exact: true }).waitFor();
    await shoot(phone.page, "account-alert-devices");
    await phone.page.keyboard.press("Escape");
    expect(laptop.wrong.concat(phone.wrong)).toEqual([]);
  });

  test("a revoked device is signed out, says why, and comes back as a new one", async () => {
    const { page } = laptop;
    await settings(page);
    const revoke = page.getByRole("button", { name: /^Revoke / });
    await revoke.first().click();
    await page.getByRole("button", { name: "Revoke it" }).click();
    await phone.page.getByText("this device was revoked").waitFor();
    await shoot(phone.page, "account-revoked");
    await signIn(phone.page, changed);
    await phone.page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    await expect.poll(() => phone.page.getByText("You were signed out").count()).toBe(0);
    // It stays so: no second reset waits behind the first.
    await phone.page.reload();
    await phone.page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    await page.keyboard.press("Escape");
    await say(page, "Everybody is back.");
    await settled(page);
    expect(laptop.wrong.concat(phone.wrong)).toEqual([]);
  });

  test("history for new devices is turned off with its cost before the eyes, and what is missing says so", async () => {
    const { page } = laptop;
    await settings(page);
    const keep = page.getByLabel("Keep history for my new devices");
    await keep.waitFor();
    await expect.poll(() => keep.isChecked()).toBe(true);
    await page.getByText("whoever gets your passphrase, or a device of yours, can read all of it, old and to come").waitFor();
    await keep.click();
    // Nothing is deleted before somebody has read what that means.
    await expect.poll(() => keep.isChecked()).toBe(true);
    await page.getByText("What the server has is deleted.").waitFor();
    await shoot(page, "account-archive");
    await page.getByRole("button", { name: "Delete it" }).click();
    await expect.poll(() => keep.isChecked()).toBe(false);
    await page.keyboard.press("Escape");
    const last = await open(browser);
    await last.page.goto(server.origin);
    await signIn(last.page, changed);
    await enter(last.page, /bob/);
    await last.page.getByText(/not here: what was said before is on the account's other devices: the archive is off/).waitFor();
    await shoot(last.page, "account-archive-off");
    await expect.poll(() => said(last.page, "Are you there?").count()).toBe(0);
    await page.getByRole("button", { name: "About this room" }).click();
    await expect.poll(() => page.getByLabel("Keep this room for my new devices").isDisabled()).toBe(true);
    await page.keyboard.press("Escape");
    expect(laptop.wrong.concat(last.wrong)).toEqual([]);
    await last.context.close();
  });
});
