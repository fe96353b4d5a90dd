// Signing in where no other device is there: the page says that the account has rooms, how many, and what opens them; and
// they are there as soon as another device has let it in. The dead end that others are known for is a way in that shows
// success and nothing.

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { audit, launch, open, shoot, type Watched } from "./browser";
import { enter, ready, said, say, Server, settled } from "./people";
import { Terminal } from "./terminal";

describe.runIf(ready())("a browser that is the only device there", () => {
  const server = new Server();
  const passphrase = "pebble wagon orchard violin candle river";
  const alice = new Terminal(passphrase);
  const bob = new Terminal("walnut saddle prairie clarinet bucket river");
  let browser: Browser;
  let phone: Watched;

  beforeAll(async () => {
    await server.start();
    const address = `${server.ready.tls}#${server.ready.pin}`;
    await alice.run("register", "alice", "--server", address, "--invite", server.ready.owner_invite ?? "", "--passphrase-file", alice.passphraseFile);
    const [invite] = await alice.run("invite");
    await bob.run("register", "bob", "--server", address, "--invite", invite?.["invite"] as string, "--passphrase-file", bob.passphraseFile);
    await alice.run("room", "create", "den", "@bob");
    await alice.run("send", "@bob", "Are you there?");
    browser = await launch();
    phone = await open(browser, { width: 390, height: 780, touch: true });
  });
  afterAll(async () => {
    await browser?.close();
    await server.end();
    alice.end();
    bob.end();
  });

  test("says that rooms wait, and for what", async () => {
    const { page } = phone;
    await page.goto(server.origin);
    await page.getByLabel("Handle").fill("alice");
    await page.getByLabel("Passphrase", { exact: true }).fill(passphrase);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    const waiting = page.getByRole("navigation").getByRole("status");
    await waiting.getByText(/^2 of your rooms have not let this browser in yet/u).waitFor();
    await expect.poll(() => waiting.innerText()).toContain("Another device of yours, or a member’s, does so by itself as soon as it is online.");
    await shoot(page, "outside");
    expect(await audit(page)).toEqual([]);
  });

  test("keeps what is said to somebody in such a room, and says so", async () => {
    const { page } = phone;
    await page.getByRole("button", { name: /^bob/ }).click();
    await page.getByText("The room with bob is not there yet.").waitFor();
    await say(page, "Call me, please.");
    await page.getByRole("region", { name: "Messages" }).getByText("Kept until the room is there").waitFor();
    await shoot(page, "outside-kept");
    expect(await audit(page)).toEqual([]);
    // It outlives the page.
    await page.reload();
    await page.getByRole("navigation").getByRole("button", { name: /bob/ }).click();
    await said(page, "Call me, please.").waitFor();
    await page.getByRole("textbox", { name: /^Message to/ }).fill("half a dra");
  });

  test("shows them when another device has come", async () => {
    const { page } = phone;
    await bob.run("send", "@alice", "I am, now.");
    // The room takes the place of the one that waited, and brings along what was said and what was being written there.
    await page.getByText("The room with bob is not there yet.").waitFor({ state: "detached" });
    await said(page, "Call me, please.").waitFor();
    await settled(page);
    await expect.poll(() => page.getByRole("textbox", { name: /^Message to/ }).inputValue()).toBe("half a dra");
    await page.getByRole("button", { name: "Back to the rooms" }).click();
    await page.getByRole("navigation").getByRole("button", { name: /bob/ }).waitFor();
    // Every verb is online for a moment only: one of them has to meet the room in need.
    await expect.poll(async () => {
      await alice.run("send", "den", "Here is the key.");
      return page.getByRole("navigation").getByRole("button", { name: /den/ }).count();
    }, { timeout: 45_000 }).toBe(1);
    await page.getByRole("navigation").getByRole("status").waitFor({ state: "detached" });
    await enter(page, /bob/);
    await said(page, "I am, now.").waitFor();
    expect(phone.wrong).toEqual([]);
  });
});
