// What people get wrong when they come in, over the real binary: each has words of its own that say what to do next, the
// keyboard is where it can be put right, what was typed is still there, and nothing is used up.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { audit, browserPresent, launch, open, shoot, type Look } from "./browser";
import { kept, ready, Server, signUp } from "./people";
import { serveFake, type Served } from "./serve";
import { Terminal } from "./terminal";

const looks: Record<string, Look> = {
  desktop: {},
  phone: { width: 390, height: 780, touch: true, dark: true },
};

// told waits for a problem's words and checks where the keyboard is, and that all of it can be seen.
async function told(page: Page, message: string, hint: string | RegExp, focused: string): Promise<void> {
  const problem = page.locator(".problem").filter({ hasText: message });
  await problem.getByText(hint).waitFor();
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("name") ?? document.activeElement?.className ?? "")).toContain(focused);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0);
  await expect.poll(() => problem.evaluate((element) => element.getBoundingClientRect().bottom <= innerHeight)).toBe(true);
}

describe.runIf(ready())("who comes in wrongly", () => {
  const server = new Server();
  const carol = new Terminal("pebble wagon orchard violin candle river");
  let browser: Browser;
  let owner: Page;
  let passphrase = "";
  let used = "";

  beforeAll(async () => {
    await server.start();
    browser = await launch();
    owner = (await open(browser)).page;
    passphrase = await signUp(owner, `${server.origin}/#invite=${server.ready.owner_invite ?? ""}`, "alice");
    used = await invite();
    await carol.run("register", "carol", "--server", `${server.ready.tls}#${server.ready.pin}`, "--invite", used, "--passphrase-file", carol.passphraseFile);
  });
  afterAll(async () => {
    await browser?.close();
    await server.end();
    carol.end();
  });

  async function invite(): Promise<string> {
    await owner.getByRole("button", { name: "Invite somebody" }).first().click();
    const link = await owner.getByLabel("Link").inputValue();
    await owner.keyboard.press("Escape");
    return new URL(link).hash.replace("#invite=", "");
  }

  test.each(Object.entries(looks))("signing up: a malformed handle, a taken one, an invite that is none, one that was used: %s", async (name, look) => {
    const { page, context, wrong } = await open(browser, look);
    const fresh = await invite();
    const handle = `dave-${name}`;
    await page.goto(`${server.origin}/#invite=${used}`);
    await page.getByLabel("Handle").fill("Dave!");
    const words = await kept(page);
    const submit = page.getByRole("button", { name: "Make my account" });
    await submit.click();
    await told(page, "That is not a handle.", "3 to 32 letters", "username");
    await shoot(page, `refused-handle-${name}`);

    await page.keyboard.type("alice");
    await page.keyboard.press("Enter");
    await told(page, "That invite was used before: it makes one account.", "If it was you, sign in", "problem");
    await shoot(page, `refused-used-${name}`);

    // The link's code is a field now, to be put right.
    const code = page.getByLabel("Invite");
    await expect.poll(() => code.inputValue()).toBe(used);
    await code.fill("none at all");
    await page.keyboard.press("Enter");
    await told(page, "There is no such invite here.", "Look whether all of it was copied", "problem");

    await code.fill(`${server.origin}/#invite=${fresh}`);
    await expect.poll(() => code.inputValue()).toBe(fresh);
    await page.keyboard.press("Enter");
    await told(page, "That handle is taken.", "Choose another", "problem");
    await shoot(page, `refused-taken-${name}`);

    // Nothing of it was lost, and none of it has used the invite up.
    await page.getByLabel("Handle").fill(handle);
    await expect.poll(() => page.getByLabel("Passphrase", { exact: true }).inputValue()).toBe(words);
    await expect.poll(() => page.getByLabel("I have written it down").isChecked()).toBe(true);
    await submit.click();
    await page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test.each(Object.entries(looks))("signing in: nothing typed, a wrong passphrase, the right one where the wrong one stood: %s", async (name, look) => {
    const { page, context, wrong } = await open(browser, look);
    await page.goto(server.origin);
    await page.getByLabel("Handle").fill("alice");
    await page.keyboard.press("Enter");
    await told(page, "The passphrase is missing.", "The passphrase is missing.", "password");
    await page.keyboard.type("this is not the passphrase");
    await page.keyboard.press("Enter");
    await told(page, "Unknown handle or wrong passphrase.", "can let this one in by a code", "password");
    await shoot(page, `refused-passphrase-${name}`);
    // What is offered is to try again, a code, an account: no reset that nobody needs.
    await expect.poll(() => page.getByText(/reset|recover/i).count()).toBe(0);
    await page.getByRole("button", { name: "Use a code from another device" }).waitFor();
    // The wrong one is selected: typing replaces it.
    await page.keyboard.type(passphrase);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("signing in while the server is away: it is said, and goes on when the server is back", async () => {
    const { page, context, wrong } = await open(browser, { width: 390, height: 780, touch: true });
    await page.goto(server.origin);
    await page.getByLabel("Handle").fill("alice");
    await page.getByLabel("Passphrase", { exact: true }).fill(passphrase);
    await server.stop("SIGKILL");
    await page.keyboard.press("Enter");
    await page.getByText("No connection").waitFor();
    await shoot(page, "refused-away");
    expect(await audit(page)).toEqual([]);
    await server.start();
    await page.getByRole("button", { name: "Try now" }).click({ timeout: 5_000 }).catch(() => undefined); // it may be back already
    await page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("the new link that somebody sends, opened in the tab where the old one failed", async () => {
    const { page, context, wrong } = await open(browser);
    const fresh = await invite();
    await page.goto(`${server.origin}/#invite=${used}`);
    await page.getByLabel("Handle").fill("erin");
    await kept(page);
    await page.getByRole("button", { name: "Make my account" }).click();
    await page.getByText("That invite was used before").waitFor();
    // The same page: nothing but the fragment changes.
    await page.goto(`${server.origin}/#invite=${fresh}`);
    await expect.poll(() => new URL(page.url()).hash).toBe("");
    await page.getByText("You are invited").waitFor();
    await expect.poll(() => page.getByLabel("Handle").inputValue()).toBe("erin");
    await kept(page);
    await page.getByRole("button", { name: "Make my account" }).click();
    await page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    // One more, for who has an account by now, is told about and does nothing.
    await page.goto(`${server.origin}/#invite=${used}`);
    await page.getByText("you are signed in").waitFor();
    expect(new URL(page.url()).hash).toBe("");
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("a code that is none, one that is not in use, one that was used; and the way back", async () => {
    const { page, context, wrong } = await open(browser, { width: 390, height: 780, touch: true });
    await page.goto(server.origin);
    await page.getByRole("button", { name: "Use a code from another device" }).click();
    await page.getByLabel("Code").fill(used);
    await page.keyboard.press("Enter");
    await page.getByText("That is no link code.").waitFor();
    await page.getByText("It begins with snug-link-").waitFor();
    await page.getByLabel("Code").and(page.locator(":focus")).waitFor();
    await page.getByLabel("Code").fill(`snug-link-${"a".repeat(26)}`);
    await page.keyboard.press("Enter");
    await page.getByText("That link code is not in use.").waitFor();
    await page.getByText("show a new one on the old device").waitFor();
    await shoot(page, "refused-code");

    // One that lets a device in is good for no other.
    await owner.locator("button.you").click();
    await owner.getByRole("button", { name: "Link a new device…" }).click();
    const code = await owner.getByText(/^snug-link-[a-z2-7]{26}$/).innerText();
    const first = await open(browser);
    for (const at of [first.page, page]) {
      if (at === first.page) {
        await at.goto(server.origin);
        await at.getByRole("button", { name: "Use a code from another device" }).click();
      }
      await at.getByLabel("Code").fill(code);
      await at.keyboard.press("Enter");
      if (at !== first.page) continue;
      await at.getByRole("button", { name: "They are the same" }).click();
      await owner.getByRole("button", { name: "They are the same" }).click();
      await owner.getByText("Your new device is in").waitFor();
      await at.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    }
    await page.getByText("That link code is not in use.").waitFor();
    await owner.keyboard.press("Escape");

    await page.getByRole("button", { name: "Use my passphrase instead" }).click();
    await page.getByLabel("Handle").fill("alice");
    await page.getByLabel("Passphrase", { exact: true }).fill(passphrase);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    expect([...wrong, ...first.wrong]).toEqual([]);
    await first.context.close();
    await context.close();
  });
});

// What time or a damaged server does is told by the scripted core in the words of the real one; that those are its words
// is tested in a terminal (cmd/snug).
describe.runIf(browserPresent())("who comes in by what does not work any more", () => {
  let browser: Browser;
  let outside: Served;

  beforeAll(async () => {
    outside = await serveFake(false);
    browser = await launch();
  });
  afterAll(async () => {
    await browser?.close();
    outside?.close();
  });

  test.each(Object.entries(looks))("an invite that has expired, and the one that is sent for it: %s", async (name, look) => {
    const { page, context, wrong } = await open(browser, look);
    await page.goto(`${outside.origin}/#invite=expired`);
    await page.getByLabel("Handle").fill("dave");
    await kept(page);
    await page.getByRole("button", { name: "Make my account" }).click();
    await told(page, "That invite has expired.", "Ask whoever sent it for a new one.", "problem");
    await shoot(page, `refused-expired-${name}`);
    expect(await audit(page)).toEqual([]);
    await page.getByLabel("Invite").fill(`${outside.origin}/#invite=k7f3-9qmd`);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test.each(Object.entries(looks))("a vault that does not open, and the way in that is left: %s", async (name, look) => {
    const { page, context, wrong } = await open(browser, look);
    await page.goto(outside.origin);
    await page.getByLabel("Handle").fill("alice");
    await page.getByLabel("Passphrase", { exact: true }).fill("the vault is damaged");
    await page.keyboard.press("Enter");
    await told(page, "The passphrase is right, but the vault that the server has does not open with it.", "Nothing is lost while another device is signed in", "password");
    await shoot(page, `refused-vault-${name}`);
    expect(await audit(page)).toEqual([]);
    // Still nobody: no empty rooms are shown as if this had worked, and nothing is reset.
    await expect.poll(() => page.getByRole("heading", { name: "Rooms", exact: true }).count()).toBe(0);
    await expect.poll(() => page.getByText(/reset|recover/i).count()).toBe(0);
    await page.getByRole("button", { name: "Use a code from another device" }).click();
    await page.getByLabel("Code").fill("snug-link-aaaqeayeaudaocajbifqydiob4");
    await page.keyboard.press("Enter");
    await page.getByText("304 192").waitFor();
    await page.getByRole("button", { name: "They are the same" }).click();
    await page.getByRole("navigation").getByRole("button", { name: /bob/ }).waitFor();
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("too many tries: how long to wait, and the keyboard before the words", async () => {
    const { page, context, wrong } = await open(browser, { dark: true });
    await page.goto(outside.origin);
    await page.getByLabel("Handle").fill("alice");
    await page.getByLabel("Passphrase", { exact: true }).fill("often");
    await page.keyboard.press("Enter");
    await told(page, "Too many tries in a short time.", "Wait 6 s, then try again.", "problem");
    await shoot(page, "refused-often");
    expect(await audit(page)).toEqual([]);
    await page.keyboard.press("Tab");
    await page.getByRole("button", { name: "Sign in", exact: true }).and(page.locator(":focus")).waitFor();
    await expect.poll(() => page.getByLabel("Passphrase", { exact: true }).inputValue()).toBe("often");
    expect(wrong).toEqual([]);
    await context.close();
  });
});
