// The story over the real binary: one server, two people in two browsers, no word readable on the way.

import { statSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch, open, shoot, type Watched } from "./browser";
import { enter, kept, ready, said, say, Server, settled, signUp } from "./people";

const canary = "heliotrope-canary-7141";

describe.runIf(ready())("the story", () => {
  const server = new Server();
  let browser: Browser;
  let alice: Watched;
  let bob: Watched;
  const passphrases: string[] = [];

  beforeAll(async () => {
    await server.start();
    browser = await launch();
    alice = await open(browser);
    bob = await open(browser, { dark: true });
  });
  afterAll(async () => {
    await browser?.close();
    await server.end();
  });

  // How soon is printed, and no bound is set: that is the machine's as much as the page's.
  test("the page is usable, cold and warm, and keeps no cookie", async () => {
    const { page, context, wrong } = await open(browser);
    const began = performance.now();
    await page.goto(server.origin);
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    const cold = performance.now() - began;
    const again = performance.now();
    await page.reload();
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    console.log(`page: usable in ${cold.toFixed(0)} ms cold, ${(performance.now() - again).toFixed(0)} ms warm`);
    await expect.poll(() => context.cookies()).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  test("the owner signs up by the printed link, and says something in the open room", async () => {
    const { page } = alice;
    passphrases.push(await signUp(page, `${server.origin}/#invite=${server.ready.owner_invite ?? ""}`, "alice"));
    await page.getByRole("navigation").getByRole("button").first().click();
    await page.getByRole("textbox", { name: /^Message to/ }).waitFor();
    await say(page, "Is anybody here?");
    await said(page, "Is anybody here?").waitFor();
    await settled(page);
    await shoot(page, "story-open");
    expect(alice.wrong).toEqual([]);
  });

  test("a used invite is refused, a fresh one works, and open history is readable", async () => {
    const { page } = bob;
    await page.goto(`${server.origin}/#invite=${server.ready.owner_invite ?? ""}`);
    await page.getByLabel("Handle").fill("bob");
    await kept(page);
    await page.getByRole("button", { name: "Make my account" }).click();
    await page.locator(".problem").waitFor();
    await shoot(page, "story-used-invite");

    await alice.page.getByRole("button", { name: "Invite somebody" }).first().click();
    const link = await alice.page.getByLabel("Link").inputValue();
    await alice.page.keyboard.press("Escape");
    await page.goto("about:blank");
    passphrases.push(await signUp(page, link, "bob"));
    await page.getByRole("navigation").getByRole("button").first().click();
    await said(page, "Is anybody here?").waitFor();
    // Only the owner may invite: nobody else is offered what the server would refuse.
    await expect.poll(() => page.getByRole("button", { name: "Invite somebody" }).count()).toBe(0);
    await expect.poll(() => alice.page.getByRole("button", { name: "Invite somebody" }).count()).toBeGreaterThan(0);
    expect(bob.wrong).toEqual([]);
  });

  test("two people talk in a sealed room of two", async () => {
    await alice.page.getByRole("region", { name: "People" }).getByRole("button", { name: /bob/ }).click();
    await alice.page.getByRole("heading", { name: "bob", exact: true }).waitFor();
    await say(alice.page, `Good evening ${canary}`);
    await settled(alice.page);
    await enter(bob.page, /alice/);
    await said(bob.page, `Good evening ${canary}`).waitFor();
    for (let i = 1; i <= 5; i++) {
      await say(bob.page, `bob says ${i}`);
      await say(alice.page, `alice says ${i}`);
    }
    for (let i = 1; i <= 5; i++) {
      await said(alice.page, `bob says ${i}`).waitFor();
      await said(bob.page, `alice says ${i}`).waitFor();
    }
    await settled(alice.page);
    await settled(bob.page);
    await shoot(alice.page, "story-direct-light");
    await shoot(bob.page, "story-direct-dark");
    expect([...alice.wrong, ...bob.wrong]).toEqual([]);
  });

  test("a sealed room of several is made, and its member reads it", async () => {
    await alice.page.getByRole("button", { name: "New room" }).first().click();
    await alice.page.getByLabel("Name").fill("Kitchen table");
    await alice.page.getByRole("checkbox", { name: "bob" }).check();
    await alice.page.getByRole("button", { name: "Make the room" }).click();
    await alice.page.getByRole("heading", { name: "Kitchen table" }).waitFor();
    await say(alice.page, `Who brings bread? ${canary}`);
    await settled(alice.page);
    await enter(bob.page, /Kitchen table/);
    await said(bob.page, `Who brings bread? ${canary}`).waitFor();
    await bob.page.getByRole("button", { name: "About this room" }).click();
    await bob.page.getByRole("dialog").getByText("alice").waitFor();
    await shoot(bob.page, "story-details");
    await bob.page.keyboard.press("Escape");
    expect([...alice.wrong, ...bob.wrong]).toEqual([]);
  });

  test("a link brings somebody into a room, once, and the server learns nothing that would", async () => {
    await alice.page.getByRole("button", { name: "New room" }).first().click();
    await alice.page.getByLabel("Name").fill("Allotment");
    await alice.page.getByRole("button", { name: /^Make/ }).click();
    await alice.page.getByRole("heading", { name: "Allotment", exact: true }).waitFor();
    await alice.page.getByRole("button", { name: "About this room" }).click();
    await alice.page.getByRole("button", { name: "Invite by link" }).click();
    await alice.page.getByRole("button", { name: "Make a link" }).click();
    await alice.page.getByRole("img", { name: "The link as a QR code" }).waitFor();
    const link = await alice.page.getByLabel("Link", { exact: true }).inputValue();
    await alice.page.keyboard.press("Escape");
    await bob.page.goto(link);
    await bob.page.getByRole("button", { name: "Ask to be let in" }).click();
    await bob.page.getByRole("heading", { name: "Allotment", exact: true }).waitFor();
    expect(bob.page.url()).not.toContain("snug-room");
    await say(bob.page, "I came by the link");
    await settled(bob.page);
    await enter(alice.page, /Allotment/);
    await said(alice.page, "I came by the link").waitFor();
    await alice.page.getByText("@bob came by an invite of @alice").first().waitFor();
    const secret = link.slice(link.lastIndexOf("-") + 1);
    expect(secret).toHaveLength(30);
    expect(server.holds(secret.slice(0, 26))).toBe(false);
    expect(bob.wrong).toEqual([]);
  });

  test("what is written while the server is away is kept, and sent once when it is back", async () => {
    await server.stop("SIGKILL");
    await say(alice.page, "Written in the dark");
    await alice.page.getByText("Waiting for the connection").waitFor();
    await alice.page.getByText("No connection").waitFor();
    await shoot(alice.page, "story-offline");
    await server.start();
    // It may have come back by itself meanwhile.
    await alice.page.getByRole("button", { name: "Try now" }).click({ timeout: 1000 }).catch(() => undefined);
    await said(bob.page, "Written in the dark").waitFor({ timeout: 45_000 });
    await settled(alice.page);
    await expect.poll(() => said(bob.page, "Written in the dark").count()).toBe(1);
    await expect.poll(() => said(alice.page, "Written in the dark").count()).toBe(1);
    expect([...alice.wrong, ...bob.wrong]).toEqual([]);
  });

  test("a reload forgets nothing, and a second tab shows the same", async () => {
    await alice.page.reload();
    await enter(alice.page, /bob/);
    await said(alice.page, "bob says 5").waitFor();
    const second = await alice.context.newPage();
    await second.goto(server.origin);
    await enter(second, /bob/);
    await said(second, "bob says 5").waitFor();
    await say(second, "from the second tab");
    await said(alice.page, "from the second tab").waitFor();
    await settled(second);
    await say(alice.page, "from the first tab");
    await said(second, "from the first tab").waitFor();
    await second.close();
    expect(alice.wrong).toEqual([]);
  });

  test("signing out forgets, a wrong passphrase is refused, the right one signs in", async () => {
    const { page } = bob;
    await page.getByRole("button", { name: /signing out/ }).click();
    await page.getByRole("button", { name: "Sign out…" }).click();
    await page.getByRole("button", { name: "Sign out of my only device", exact: true }).click();
    await page.getByRole("heading", { name: "Welcome back" }).waitFor();
    await page.getByLabel("Handle").fill("bob");
    await page.getByLabel("Passphrase", { exact: true }).fill("not the words that it was");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.locator(".problem").waitFor();
    await shoot(page, "story-wrong-passphrase");
    await page.getByLabel("Passphrase", { exact: true }).fill(passphrases[1] ?? "");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("heading", { name: "Make yourself at home" }).waitFor();
    expect(bob.wrong).toEqual([]);
  });

  test("the server holds no word of it", () => {
    expect(statSync(server.data).isDirectory()).toBe(true);
    expect(server.holds("Is anybody here?")).toBe(true);
    expect(server.holds(canary)).toBe(false);
    for (const passphrase of passphrases) expect(server.holds(passphrase)).toBe(false);
  });
});
