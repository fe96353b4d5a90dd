// The page by itself, over the scripted core: what it shows, how it behaves, and how it looks.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { audit, browserPresent, launch, open, pull, shoot, type Watched } from "./browser";
import { serveFake, type Served } from "./serve";

describe.runIf(browserPresent())("the page", () => {
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

  async function main(look: Parameters<typeof open>[1] = {}): Promise<Watched> {
    const watched = await open(browser, look);
    await watched.page.goto(inside.origin);
    await watched.page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    return watched;
  }

  // enter opens a room, and waits until what is typed goes to it.
  async function enter(page: Page, name: RegExp): Promise<void> {
    await page.getByRole("navigation").getByRole("button", { name }).click();
    await page.getByRole("textbox", { name: new RegExp(`^Message to .*${name.source}`) }).and(page.locator(":focus")).waitFor();
  }

  test("signs up by link, and takes the code out of the address bar", async () => {
    const { page, context, wrong } = await open(browser);
    await page.goto(`${outside.origin}/#invite=k7f3-9qmd`);
    await page.getByRole("heading", { name: "Come on in" }).waitFor();
    expect(new URL(page.url()).hash).toBe("");
    await expect.poll(() => page.getByText("You are invited").count()).toBe(1);
    await page.getByText("harbour").waitFor();
    await shoot(page, "welcome-light");
    expect(await audit(page)).toEqual([]);
    await page.getByLabel("Handle").fill("taken");
    await page.getByRole("button", { name: "Make my account" }).click();
    await page.getByText("keep your passphrase first").waitFor();
    await page.getByLabel("I have written it down").check();
    await pull(page, "hold");
    await page.getByRole("button", { name: "Make my account" }).click();
    await page.getByText("stretching the passphrase").waitFor();
    await pull(page, "go");
    await page.getByText("the handle taken is taken").waitFor();
    await shoot(page, "welcome-refused");
    await expect.poll(() => page.getByLabel("Invite").inputValue()).toBe("k7f3-9qmd");
    await page.getByLabel("Handle").fill("alice");
    await page.getByRole("button", { name: "Make my account" }).click();
    await page.getByRole("heading", { name: "Make yourself at home" }).waitFor();
    await shoot(page, "home-light");
    expect(await audit(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("refuses a weak passphrase of one's own, and a wrong one", async () => {
    const { page, context, wrong } = await open(browser, { dark: true });
    await page.goto(outside.origin);
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    await page.getByLabel("Handle").fill("alice");
    await page.getByLabel("Passphrase", { exact: true }).fill("wrong one");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByText("unknown handle or wrong passphrase").waitFor();
    await shoot(page, "sign-in-dark");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Make an account" }).click();
    await page.getByRole("button", { name: "Choose my own instead" }).click();
    await page.getByLabel("Passphrase", { exact: true }).fill("short");
    await page.getByText("it needs 12 characters or more").waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("shows a room, and a message from pending to sent", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /bob/);
    await shoot(page, "room-light");
    expect(await audit(page)).toEqual([]);
    await expect.poll(() => page.getByText("�evil").count()).toBe(1);
    await pull(page, "hold");
    await page.keyboard.type("first line");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("second line /answer");
    await page.keyboard.press("Enter");
    await page.getByText("Sending…").waitFor();
    await pull(page, "go");
    await page.getByText("Sending…").waitFor({ state: "detached" });
    await page.getByRole("region", { name: "Messages" }).getByText("An answer, as asked.").waitFor();
    await expect.poll(() => page.getByRole("log").textContent()).toContain("bob: An answer, as asked.");
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("shows what failed with its cause, sends it again, discards it", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /bob/);
    await page.keyboard.type("one /fail");
    await page.keyboard.press("Enter");
    await page.getByText("Not sent: you are not a member of this room").waitFor();
    await shoot(page, "failed-light");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Send again" }).click();
    await page.getByText("Not sent").waitFor({ state: "detached" });
    await page.getByRole("textbox").fill("two /fail");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Discard" }).click();
    await page.getByRole("region", { name: "Messages" }).getByText("two /fail").waitFor({ state: "detached" });
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("keeps what is written while there is no connection", async () => {
    const { page, context, wrong } = await main({ dark: true });
    await enter(page, /bob/);
    await page.keyboard.type("Written in a tunnel /offline");
    await page.keyboard.press("Enter");
    await page.getByText("No connection").waitFor();
    await page.getByText("Waiting for the connection").waitFor();
    await shoot(page, "offline-dark");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Try now" }).click();
    await page.getByText("Waiting for the connection").waitFor({ state: "detached" });
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("loads older messages on the way up, keeps its place, and jumps back", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /Lobby/);
    const scroller = page.getByRole("region", { name: "Messages" });
    await page.getByText("The boiler is fixed").last().waitFor();
    await expect.poll(() => scroller.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight)).toBeLessThan(4);
    await expect.poll(() => page.getByRole("listitem").count()).toBeLessThan(60);
    await scroller.hover();
    await expect.poll(async () => {
      await page.mouse.wheel(0, -900);
      return page.getByText("Line 1 of a long history").count();
    }, { timeout: 60_000 }).toBe(1);
    await shoot(page, "history-top");
    await page.getByRole("button", { name: "To the newest" }).click();
    await page.getByRole("region", { name: "Messages" }).getByText("The boiler is fixed").waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("makes a sealed room, shows its people, and leaves it", async () => {
    const { page, context, wrong } = await main();
    await page.getByRole("button", { name: "New room" }).first().click();
    await page.getByLabel("Name").fill("Reading circle");
    await page.getByLabel("carol.m").check();
    await shoot(page, "create-light");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Make the room" }).click();
    await page.getByRole("heading", { name: "Reading circle" }).waitFor();
    await page.getByText("only its 2 members can read it").first().waitFor();
    await page.getByRole("button", { name: "About this room" }).click();
    await page.getByRole("button", { name: "Remove carol.m" }).waitFor();
    await shoot(page, "details-light");
    expect(await audit(page)).toEqual([]);
    await page.getByLabel("Role of carol.m").selectOption("owner");
    await page.getByText("Only an owner makes owners and admins. Ask the room's owner.").waitFor();
    await expect.poll(() => page.getByLabel("Role of carol.m").inputValue()).toBe("member");
    await page.getByRole("button", { name: "Settings" }).click();
    await page.getByLabel("Name", { exact: true }).fill("Reading room");
    await page.getByLabel("Topic", { exact: true }).fill("One chapter a week\u202e, read backwards");
    await page.getByLabel("Who adds members").selectOption("member");
    await shoot(page, "settings-light");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { name: "Reading room" }).first().waitFor();
    // What turns a line around is seen, and turns nothing around.
    await page.locator("header").getByText("One chapter a week, read backwards").waitFor();
    await page.getByRole("dialog").getByText("One chapter a week\ufffd, read backwards").waitFor();
    await page.getByRole("button", { name: "Leave" }).click();
    await page.getByRole("button", { name: "Leave the room" }).click();
    await page.getByRole("heading", { name: "Make yourself at home" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("joins an open room, keeps a draft per room, invites, signs out", async () => {
    const { page, context, wrong } = await main({ dark: true });
    await page.getByRole("navigation").getByRole("button", { name: /Notices/ }).click();
    await page.getByRole("button", { name: "Join", exact: true }).click();
    await page.getByRole("textbox").fill("a draft");
    await enter(page, /bob/);
    await expect.poll(() => page.getByRole("textbox").inputValue()).toBe("");
    await shoot(page, "room-dark");
    expect(await audit(page)).toEqual([]);
    await enter(page, /Notices/);
    await expect.poll(() => page.getByRole("textbox").inputValue()).toBe("a draft");
    await page.getByRole("button", { name: "Invite somebody" }).click();
    await expect.poll(() => page.getByLabel("Link").inputValue()).toBe(`${inside.origin}/#invite=k7f3-9qmd-2xwz-h4tn`);
    await page.getByRole("button", { name: "Copy link" }).click();
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toContain("#invite=k7f3");
    await shoot(page, "invite-dark");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: /signing out/ }).click();
    await page.getByText("Terminal on desk").waitFor();
    await shoot(page, "you-dark");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Sign out…" }).click();
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("is two screens on a phone", async () => {
    const { page, context, wrong } = await main({ width: 360, height: 720, touch: true });
    await shoot(page, "phone-rooms");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("navigation").getByRole("button", { name: /Allotment/ }).click();
    await page.getByText("On it.").last().waitFor();
    await shoot(page, "phone-room");
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Back to the rooms" }).click();
    await page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("says so when the worker has died", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /bob/);
    await page.keyboard.type("/die");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Snug has stopped in this tab" }).waitFor();
    await shoot(page, "dead-light");
    expect(wrong).toEqual([]);
    await context.close();
  });

  async function settings(page: Page): Promise<void> {
    await page.getByRole("button", { name: /^You|Your account|alice/ }).first().click();
    await page.getByRole("dialog", { name: "You" }).waitFor();
  }

  test("changes the passphrase, for one that is kept, and says what follows", async () => {
    const { page, context, wrong } = await main();
    await settings(page);
    await page.getByRole("button", { name: "Change passphrase…" }).click();
    await page.getByText("harbour").waitFor();
    await shoot(page, "passphrase-light");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Change passphrase", exact: true }).click();
    await page.getByText("keep your passphrase first").waitFor();
    await page.getByRole("button", { name: "Choose my own instead" }).click();
    await page.getByLabel("New passphrase").fill("short");
    await page.getByLabel("The passphrase again").fill("short");
    await page.getByRole("button", { name: "Change passphrase", exact: true }).click();
    await page.getByText("that passphrase is too weak").waitFor();
    await page.getByRole("button", { name: "Use a generated one" }).click();
    await page.getByLabel("I have written it down").check();
    await pull(page, "hold");
    await page.getByRole("button", { name: "Change passphrase", exact: true }).click();
    await page.getByText("stretching the passphrase").waitFor();
    await shoot(page, "passphrase-busy");
    await pull(page, "go");
    await page.getByText("Your passphrase is changed").waitFor();
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("dialog", { name: "You" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("repairs a vault that does not open", async () => {
    const { page, context, wrong } = await main();
    await settings(page);
    await page.getByRole("button", { name: "Change passphrase…" }).click();
    await page.getByRole("button", { name: "Choose my own instead" }).click();
    await page.getByLabel("New passphrase").fill("a damaged vault stands here");
    await page.getByLabel("The passphrase again").fill("a damaged vault stands here");
    await page.getByRole("button", { name: "Change passphrase", exact: true }).click();
    await page.getByText("does not open with this account's keys").waitFor();
    await page.getByRole("button", { name: "Put this browser’s copy in its place" }).click();
    await page.getByText("Your passphrase is changed").waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("renames and revokes a device, and only after asking", async () => {
    const { page, context, wrong } = await main();
    await settings(page);
    await page.getByRole("button", { name: "Rename Terminal on desk" }).click();
    await page.getByLabel("New name").fill("Lost phone");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Revoke Lost phone" }).click();
    await shoot(page, "devices-light");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Keep it" }).click();
    await page.getByText("Lost phone").waitFor();
    await page.getByRole("button", { name: "Revoke Lost phone" }).click();
    await page.getByRole("button", { name: "Revoke it" }).click();
    await page.getByText("Lost phone").waitFor({ state: "detached" });
    await expect.poll(() => page.getByRole("button", { name: "Revoke Chrome on Linux" }).count()).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("says what goes with the only device, before it signs out", async () => {
    const { page, context, wrong } = await main();
    await settings(page);
    await page.getByRole("button", { name: "Sign out…" }).click();
    await page.getByRole("button", { name: "Sign out", exact: true }).waitFor();
    await expect.poll(() => page.getByText("This is your only device.").count()).toBe(0);
    await page.getByRole("button", { name: "Stay signed in" }).click();
    await page.getByRole("button", { name: "Revoke Terminal on desk" }).click();
    await page.getByRole("button", { name: "Revoke it" }).click();
    await page.getByText("Terminal on desk").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Sign out…" }).click();
    const warning = page.getByRole("alert").filter({ hasText: "This is your only device." });
    await warning.getByText("is gone for good").waitFor();
    await expect.poll(() => page.getByRole("button", { name: "Sign out", exact: true }).count()).toBe(0);
    await shoot(page, "sign-out-only-device");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Sign out of my only device" }).click();
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("leaves also where the server is gone for good", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /bob/);
    await page.keyboard.type("/offline");
    await page.keyboard.press("Enter");
    await page.getByText("No connection").waitFor();
    await settings(page);
    await page.getByRole("button", { name: "Sign out…" }).click();
    await page.getByRole("alert").filter({ hasText: "One message is not sent." }).waitFor();
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await page.getByText("no answer in time").waitFor();
    await shoot(page, "sign-out-offline");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Forget everything here" }).click();
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  async function safetyNumber(page: Page): Promise<void> {
    await page.getByRole("button", { name: "About this room" }).click();
    await page.getByRole("button", { name: "Safety number with bob" }).click();
    await page.getByRole("dialog", { name: "You and bob" }).waitFor();
  }

  test("compares safety numbers by eye and by what the other one reads out", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /bob/);
    await safetyNumber(page);
    await expect.poll(() => page.getByRole("list", { name: "Safety number" }).innerText()).toContain("05321");
    await expect.poll(() => page.getByRole("img", { name: /as a QR code/ }).count()).toBe(1);
    await shoot(page, "safety-light");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Type their number" }).click();
    await page.getByLabel("What bob sees").fill("12345");
    await page.getByRole("button", { name: "Compare", exact: true }).click();
    await page.getByText("it has 60 digits").waitFor();
    await page.getByLabel("What bob sees").fill("0".repeat(60));
    await page.getByRole("button", { name: "Compare", exact: true }).click();
    await page.getByText("the safety numbers differ").waitFor();
    await shoot(page, "safety-differs");
    await page.getByLabel("What bob sees").fill("05321 98114 77203 51168 00947 31254\n66019 20458 87731 40263 15587 93310");
    await page.getByRole("button", { name: "Compare", exact: true }).click();
    await page.getByText("You compared this number").waitFor();
    await page.getByRole("button", { name: "Forget that it was compared" }).click();
    await page.getByRole("button", { name: "They are the same" }).click();
    await page.getByText("You compared this number").waitFor();
    // A browser that reads no QR codes does not offer to.
    await expect.poll(() => page.getByRole("button", { name: "Scan their code" }).count()).toBe(0);
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("button", { name: "Safety number with bob" }).innerText()).toBe("Verified");
    expect(wrong).toEqual([]);
    await context.close();
  });

  // The camera is Chromium's moving picture; what its codes say is the test's, as Debian's Chromium reads none.
  function reader(seen: string): void {
    class Detector {
      async detect(): Promise<{ rawValue: string }[]> {
        return Promise.resolve([{ rawValue: seen }]);
      }
    }
    Object.assign(globalThis, { BarcodeDetector: Detector });
  }

  test("scans the other one's code, and puts the camera away", async () => {
    const { page, context, wrong } = await open(browser);
    await page.addInitScript(reader, `SNUG-SAFETY:${"05321 98114 77203 51168 00947 31254 66019 20458 87731 40263 15587 93310".replaceAll(" ", "")}`);
    await page.goto(inside.origin);
    await enter(page, /bob/);
    await safetyNumber(page);
    await page.getByRole("button", { name: "Scan their code" }).click();
    await page.getByText("You compared this number").waitFor();
    await expect.poll(() => page.locator("video").count()).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("has a way on where the camera may not be used", async () => {
    const { page, context, wrong } = await open(browser);
    await page.addInitScript(reader, "");
    await page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    });
    await page.goto(inside.origin);
    await enter(page, /bob/);
    await safetyNumber(page);
    await page.getByRole("button", { name: "Scan their code" }).click();
    await page.getByText("this page may not use the camera: type it instead").waitFor();
    await page.getByRole("button", { name: "Close", exact: true }).last().click();
    await page.getByRole("button", { name: "Type their number" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("asks before it writes to another account by the handle of a verified one", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /bob/);
    await page.keyboard.type("/stranger");
    await page.keyboard.press("Enter");
    await page.getByText("is not the account that you knew and had verified").waitFor();
    // The change stands in the room, where it stays.
    await page.getByRole("region", { name: "Messages" }).getByText("not the @bob that you knew: other keys").waitFor();
    await page.getByRole("textbox", { name: /^Message to/ }).fill("for bob alone");
    await page.keyboard.press("Enter");
    await page.getByText("its keys are others. Compare safety numbers.").waitFor();
    await shoot(page, "stranger-light");
    expect(await audit(page)).toEqual([]);
    // What was written is not lost.
    await expect.poll(() => page.getByRole("textbox", { name: /^Message to/ }).inputValue()).toBe("for bob alone");
    await page.getByRole("button", { name: "Compare safety numbers" }).click();
    await page.getByText("This is not the account that you knew").waitFor();
    await shoot(page, "stranger-number");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Go on without comparing" }).click();
    await page.keyboard.press("Escape");
    await page.getByRole("textbox", { name: /^Message to/ }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("region", { name: "Messages" }).getByText("for bob alone").waitFor();
    await expect.poll(() => page.getByText("is not the account that you knew and had verified").count()).toBe(0);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("lets a new device in by a code, once the digits are the same on both", async () => {
    const { page, context, wrong } = await main();
    await settings(page);
    await page.getByRole("button", { name: "Link a new device…" }).click();
    await page.getByText("snug-link-aaaqeayeaudaocajbifqydiob4").waitFor();
    await shoot(page, "link-code");
    expect(await audit(page)).toEqual([]);
    await page.getByText("304 192").waitFor();
    await shoot(page, "link-digits");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "They differ" }).click();
    await page.getByText("Nothing was handed over").waitFor();
    await page.getByRole("button", { name: "Show a new code" }).click();
    await page.getByText("304 192").waitFor();
    await page.getByRole("button", { name: "They are the same" }).click();
    await page.getByText("Your new device is in").waitFor();
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByText("Firefox on a phone").waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("comes in by a code that is typed, never by one in a link", async () => {
    const { page, context, wrong } = await open(browser);
    const code = "snug-link-aaaqeayeaudaocajbifqydiob4";
    // A link that somebody sent brings nobody anywhere.
    await page.goto(`${outside.origin}/?link=${code}#link=${code}`);
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    expect(new URL(page.url()).hash).toBe("");
    await expect.poll(() => page.getByText("304 192").count()).toBe(0);
    await page.getByRole("button", { name: "Use a code from another device" }).click();
    await expect.poll(() => page.getByLabel("Code").inputValue()).toBe("");
    await page.getByLabel("Code").fill("k7f3-9qmd");
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByText("that is no link code").waitFor();
    await shoot(page, "link-join");
    expect(await audit(page)).toEqual([]);
    // There is a way back, and it leads on.
    await page.getByRole("button", { name: "Use my passphrase instead" }).click();
    await page.getByLabel("Passphrase", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Use a code from another device" }).click();
    await page.getByLabel("Code").fill(code);
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByText("304 192").waitFor();
    await page.getByRole("button", { name: "They are the same" }).click();
    await page.getByRole("heading", { name: "Make yourself at home" }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("opens an invite to a room through signing in, takes it out of the address bar, and asks first", async () => {
    const { page, context, wrong } = await open(browser);
    const code = `snug-room-${"a".repeat(26)}-${"b".repeat(26)}`;
    await page.goto(`${outside.origin}/#${code}`);
    await page.getByText("You are invited to a room").waitFor();
    expect(new URL(page.url()).hash).toBe("");
    await page.getByLabel("Handle").fill("alice");
    await page.getByLabel("Passphrase", { exact: true }).fill("a right one");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("dialog", { name: "You are invited to a room" }).waitFor();
    await shoot(page, "join-room");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Not now" }).click();
    await expect.poll(() => page.getByText("Waiting to be let in").count()).toBe(0);
    // A link that is followed while the page is open is asked about too; one that does not hold says so.
    await page.evaluate((text) => (location.hash = text), `${code}x`);
    await page.getByRole("button", { name: "Ask to be let in" }).click();
    await page.getByText("that is no invite to a room").waitFor();
    await page.evaluate((text) => (location.hash = text), code);
    await expect.poll(() => new URL(page.url()).hash).toBe("");
    await page.getByRole("button", { name: "Ask to be let in" }).click();
    await page.getByText("You are let in when somebody is online").waitFor();
    await shoot(page, "room-waiting");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Stop asking" }).click();
    await page.getByText("Waiting to be let in").waitFor({ state: "detached" });
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("makes, shows and withdraws a link to a room", async () => {
    const { page, context, wrong } = await main();
    await enter(page, /Allotment/);
    await page.getByRole("button", { name: "About this room" }).click();
    await page.getByRole("button", { name: "Invite by link" }).click();
    await page.getByLabel("For how many people").selectOption("5");
    await page.getByRole("button", { name: "Make a link" }).click();
    await page.getByRole("img", { name: "The link as a QR code" }).waitFor();
    await expect.poll(() => page.getByLabel("Link", { exact: true }).inputValue()).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#snug-room-a{26}-b{26}$/u);
    await shoot(page, "room-link");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByText("0 of 5 came").waitFor();
    await page.getByRole("button", { name: "Withdraw" }).click();
    await page.getByText("withdrawn").waitFor();
    expect(await audit(page)).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("asks about a stranger's room, blocks, and unblocks", async () => {
    const { page, context, wrong } = await main();
    // A request is no news for the tab's title, and says who asks.
    await expect.poll(() => page.title()).toBe("(2) Snug");
    await page.getByText("Asked by oskar").waitFor();
    await enter(page, /oskar/);
    await page.getByRole("region", { name: "Request" }).getByText("whom you do not know yet").waitFor();
    await page.getByText("Hello, I am Oskar").waitFor();
    await shoot(page, "request");
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Block", exact: true }).click();
    await page.getByText("Hello, I am Oskar").waitFor({ state: "detached" });
    await page.getByRole("button", { name: /your devices/ }).click();
    await page.getByRole("button", { name: "Unblock oskar" }).waitFor();
    expect(await audit(page)).toEqual([]);
    await page.getByRole("button", { name: "Unblock oskar" }).click();
    await page.getByRole("button", { name: "Unblock oskar" }).waitFor({ state: "detached" });
    await page.keyboard.press("Escape");
    await enter(page, /oskar/);
    await page.getByRole("button", { name: "Accept" }).click();
    await page.getByRole("region", { name: "Request" }).waitFor({ state: "detached" });
    expect(wrong).toEqual([]);
    await context.close();
  });
});
