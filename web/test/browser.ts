// Chromium for the tests, and pages in it that fail a test by anything they print as an error or refuse by policy.

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

const executable = process.env["SNUG_CHROMIUM"] ?? "/usr/bin/chromium";

// browserPresent: with SNUG_REQUIRE set, what is missing is a failure.
export function browserPresent(): boolean {
  return present(executable, "the browser tests need Chromium: apt-get install chromium, or set SNUG_CHROMIUM");
}

// present says loudly what is missing and how to get it.
export function present(path: string, need: string): boolean {
  if (existsSync(path)) return true;
  const message = `NOT RUN: ${need} (looked for ${path})`;
  if ((process.env["SNUG_REQUIRE"] ?? "") !== "") throw new Error(message);
  console.warn(message);
  return false;
}

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: executable,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"],
  });
}

export interface Watched {
  page: Page;
  context: BrowserContext;
  // What went wrong so far; the tests want it empty.
  wrong: string[];
}

export interface Look {
  width?: number;
  height?: number;
  dark?: boolean;
  touch?: boolean;
}

// open gives a page of its own: storage, handle and all.
export async function open(browser: Browser, look: Look = {}): Promise<Watched> {
  const context = await browser.newContext({
    viewport: { width: look.width ?? 1280, height: look.height ?? 800 },
    colorScheme: look.dark === true ? "dark" : "light",
    hasTouch: look.touch ?? false,
    // What is still on its way from one colour to another is no finding of the audit's.
    reducedMotion: "reduce",
    locale: "en-GB",
    permissions: ["clipboard-read", "clipboard-write"],
  });
  const page = await context.newPage();
  const wrong: string[] = [];
  page.on("console", (message) => {
    // A server that is away is some tests' very point, and a browser cannot be kept from saying so.
    if (message.type() === "error" && !/ERR_CONNECTION_REFUSED|WebSocket connection to/.test(message.text())) wrong.push(message.text());
  });
  page.on("pageerror", (error) => wrong.push(String(error)));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`);
    });
  });
  return { page, context, wrong };
}

// pull holds up what the scripted core takes a while for, from here on, or lets it go on.
export async function pull(page: Page, how: "hold" | "go"): Promise<void> {
  await page.evaluate((word) => new Promise<void>((resolve) => {
    const strings = new BroadcastChannel("strings");
    strings.onmessage = () => {
      strings.close();
      resolve();
    };
    strings.postMessage(word);
  }), how);
}

const shots = process.env["SNUG_SHOTS"] ?? join(tmpdir(), "snug-shots");

export async function shoot(page: Page, name: string): Promise<void> {
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`) });
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Finding {
  id: string;
  nodes: { html: string; failureSummary?: string }[];
}

// audit runs axe-core beside the page's own scripts, where the page's policy does not reach.
export async function audit(page: Page): Promise<string[]> {
  // A parsed copy of the page would say nothing of its colours: axe is brought in as the debugger brings things in.
  await page.evaluate(axeSource);
  const findings = await page.evaluate(async () => (await (globalThis as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } }).axe.run()).violations);
  return findings.map((finding) => `${finding.id}: ${finding.nodes.map((node) => `${node.html} ${node.failureSummary ?? ""}`).join("\n  ")}`);
}
