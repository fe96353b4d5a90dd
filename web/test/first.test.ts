// The first conversation: one command, two people, one browser, one terminal. The server loses power in the middle of a
// burst, and every message that was acknowledged is there once, in the same order on both sides.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch, open, type Watched } from "./browser";
import { enter, ready, said, say, Server, settled, signUp } from "./people";
import { Terminal } from "./terminal";
import { pictureTerminal } from "./picture";

// Where the README's pictures go; nothing is drawn without it.
const pictures = process.env["SNUG_PICTURES"] ?? "";

async function picture(page: Page, name: string): Promise<void> {
  if (pictures === "") return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}

// transcript gives what the page shows of a room, from the first message to the last.
async function transcript(page: Page): Promise<string[]> {
  const size = page.viewportSize() ?? { width: 1280, height: 800 };
  // As tall as it takes for every row to be drawn.
  await page.setViewportSize({ width: size.width, height: 12_000 });
  const bubbles = page.getByRole("region", { name: "Messages" }).locator(".bubble");
  let texts: string[] = [];
  await expect.poll(async () => {
    const before = texts.length;
    texts = await bubbles.allInnerTexts();
    return texts.length > 0 && texts.length === before;
  }, { timeout: 30_000 }).toBe(true);
  await page.setViewportSize(size);
  return texts;
}

describe.runIf(ready())("the first conversation", () => {
  const server = new Server();
  const bob = new Terminal("pebble wagon orchard violin candle river");
  let browser: Browser;
  let alice: Watched;

  beforeAll(async () => {
    await server.start();
    browser = await launch();
    alice = await open(browser);
  });
  afterAll(async () => {
    await browser?.close();
    await server.end();
    bob.end();
  });

  test("the owner comes by the printed link, the second person by an invite in a terminal", async () => {
    await signUp(alice.page, `${server.origin}/#invite=${server.ready.owner_invite ?? ""}`, "alice");
    await alice.page.getByRole("button", { name: "Invite somebody" }).first().click();
    const link = await alice.page.getByLabel("Link").inputValue();
    await alice.page.keyboard.press("Escape");
    const code = new URL(link).hash.replace("#invite=", "");
    const address = `${server.ready.tls}#${server.ready.pin}`;
    await bob.run("register", "bob", "--server", address, "--invite", code, "--passphrase-file", bob.passphraseFile);
    expect((await bob.run("users")).map((user) => user["handle"])).toEqual(["alice", "bob"]);
  });

  test("they talk", async () => {
    const { page } = alice;
    await page.getByRole("region", { name: "People" }).getByRole("button", { name: /bob/ }).click();
    await say(page, "Good evening! Are you at your terminal again?");
    await settled(page);
    await bob.run("send", "@alice", "Always. It is warm in here.");
    await said(page, "Always. It is warm in here.").waitFor();
    await say(page, "Tea at four tomorrow? I have the good biscuits.");
    await bob.run("send", "@alice", "Wouldn’t miss it. Shall I bring the blue pot?");
    await said(page, "Wouldn’t miss it. Shall I bring the blue pot?").waitFor();
    await say(page, "Yes please — and nobody else can read that we said so.");
    await settled(page);
    await picture(page, "page");
    if (pictures !== "") await pictureTerminal(browser, bob, "@alice", join(pictures, "terminal.png"));
    expect(alice.wrong).toEqual([]);
  });

  for (const kind of ["sealed", "open"] as const) {
    test(`twenty messages each way in ${kind === "sealed" ? "a sealed" : "the open"} room`, { timeout: 120_000 }, async () => {
      const room = kind === "sealed" ? "@alice" : "common";
      await enter(alice.page, kind === "sealed" ? /^bob/ : /^common/);
      const before = (await bob.texts(room)).length;
      const tail = bob.follow(room);
      for (let i = 1; i <= 20; i++) {
        await say(alice.page, `alice says ${i}`);
        await bob.run("send", room, `bob says ${i}`);
      }
      await settled(alice.page);
      const read = (await tail.texts(before + 40)).map((entry) => entry.text);
      tail.stop();
      await expect.poll(() => transcript(alice.page), { timeout: 30_000 }).toEqual(read);
      expect(new Set(read.slice(before)).size).toBe(40);
    });
  }

  test("a power cut in the middle of a burst loses nothing and doubles nothing", { timeout: 120_000 }, async () => {
    await enter(alice.page, /^bob/);
    const before = (await bob.texts("@alice")).length;
    const acked = new Map<string, number>();
    const tail = bob.follow("@alice");
    const burst = (async () => {
      for (let i = 1; i <= 20; i++) {
        const text = `bob in the burst ${i}`;
        const [sent] = await bob.run("send", "@alice", text);
        acked.set(text, sent?.["seq"] as number);
      }
    })();
    for (let i = 1; i <= 20; i++) {
      await say(alice.page, `alice in the burst ${i}`);
      if (i === 10) {
        await server.stop("SIGKILL");
        await server.start();
      }
    }
    await burst;
    // It may have come back by itself meanwhile.
    await alice.page.getByRole("button", { name: "Try now" }).click({ timeout: 1000 }).catch(() => undefined);
    await settled(alice.page);
    const entries = await tail.texts(before + 40);
    tail.stop();
    await expect.poll(() => transcript(alice.page), { timeout: 60_000 }).toEqual(entries.map((entry) => entry.text));
    const page = entries.slice(before).map((entry) => entry.text);
    expect(new Set(page).size).toBe(40);
    for (const entry of entries.slice(before)) {
      const seq = acked.get(entry.text ?? "");
      if (seq !== undefined) expect(entry.seq).toBe(seq);
    }
    for (const text of acked.keys()) expect(page).toContain(text);
    expect(alice.wrong).toEqual([]);
  });
});
