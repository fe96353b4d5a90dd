// Two people in two browsers, over the real binary: one shows the safety number as a QR code, the other one's camera looks
// at it. The camera's reader takes what is drawn on the first one's screen.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch, open, shoot, type Watched } from "./browser";
import { enter, kept, ready, said, say, Server, settled, signUp } from "./people";
import { readDrawing } from "./qr";

describe.runIf(ready())("two people who compare", () => {
  const server = new Server();
  let browser: Browser;
  let alice: Watched;
  let bob: Watched;

  beforeAll(async () => {
    await server.start();
    browser = await launch();
    alice = await open(browser, { dark: true });
    bob = await open(browser, { width: 390, height: 780, touch: true });
    await signUp(alice.page, `${server.origin}/#invite=${server.ready.owner_invite ?? ""}`, "alice");
    await alice.page.getByRole("button", { name: "Invite somebody" }).first().click();
    const link = await alice.page.getByLabel("Link").inputValue();
    await alice.page.keyboard.press("Escape");
    await bob.page.exposeFunction("look", () => screen);
    await bob.page.addInitScript(() => {
      class Detector {
        async detect(): Promise<{ rawValue: string }[]> {
          const rawValue = await (globalThis as unknown as { look(): Promise<string> }).look();
          return rawValue === "" ? [] : [{ rawValue }];
        }
      }
      Object.assign(globalThis, { BarcodeDetector: Detector });
    });
    await bob.page.goto(link);
    await bob.page.getByLabel("Handle").fill("bob");
    await kept(bob.page);
    await bob.page.getByRole("button", { name: "Make my account" }).click();
    await bob.page.getByRole("heading", { name: "Rooms", exact: true }).waitFor();
  });
  afterAll(async () => {
    await browser?.close();
    await server.end();
  });

  // What bob's camera has before it.
  let screen = "";

  async function show(page: Page, handle: string): Promise<string> {
    await page.getByRole("button", { name: "About this room" }).click();
    await page.getByRole("button", { name: `Safety number with ${handle}` }).click();
    const drawing = page.getByRole("img", { name: /as a QR code/ });
    const side = Number((await drawing.getAttribute("viewBox"))?.split(" ")[2]);
    return readDrawing((await drawing.locator("path").getAttribute("d")) ?? "", side);
  }

  test("what one page draws, the other one's camera takes, and nothing but that", async () => {
    await alice.page.getByRole("button", { name: /^bob/ }).click();
    await say(alice.page, "Shall we compare?");
    await settled(alice.page);
    await enter(bob.page, /alice/);
    await said(bob.page, "Shall we compare?").waitFor();
    const drawn = await show(alice.page, "bob");
    await shoot(alice.page, "compare-shown");
    const digits = (await alice.page.getByRole("list", { name: "Safety number" }).getByRole("listitem").allInnerTexts()).join("");
    expect(digits).toMatch(/^\d{60}$/);
    expect(drawn).toBe(`SNUG-SAFETY:${digits}`);
    expect(await show(bob.page, "alice")).toBe(drawn);

    // Another pair's code is refused in words, and there is another try.
    screen = `SNUG-SAFETY:${digits.replaceAll(/\d/g, (digit) => String((Number(digit) + 1) % 10))}`;
    await bob.page.getByRole("button", { name: "Scan their code" }).click();
    await bob.page.getByText("The safety numbers differ").waitFor();
    await shoot(bob.page, "compare-differs");
    await expect.poll(() => bob.page.getByText("You compared this number").count()).toBe(0);
    await expect.poll(() => bob.page.getByRole("button", { name: "They are the same" }).count()).toBe(0);
    screen = drawn;
    await bob.page.getByRole("button", { name: "Scan their code" }).click();
    await bob.page.getByText("You compared this number").waitFor();
    await expect.poll(() => bob.page.locator("video").count()).toBe(0);
    await shoot(bob.page, "compare-scanned");
    // The one who was scanned compares for herself.
    await expect.poll(() => alice.page.getByText("You compared this number").count()).toBe(0);
    await alice.page.getByRole("button", { name: "They are the same" }).click();
    await alice.page.getByText("You compared this number").waitFor();
    expect([...alice.wrong, ...bob.wrong]).toEqual([]);
  });
});
