// What the stories have in common: the real server, and the steps of a person in a browser.

import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { browserPresent, present } from "./browser";

export const binary = process.env["SNUG_BINARY"] ?? new URL("../../build/snug", import.meta.url).pathname;

interface Ready {
  http: string;
  tls: string;
  pin: string;
  owner_invite?: string;
}

export class Server {
  readonly data = mkdtempSync(join(tmpdir(), "snug-story-"));
  ready: Ready = { http: "", tls: "", pin: "" };
  #process: ChildProcess | undefined;
  #http = "127.0.0.1:0";
  #tls = "127.0.0.1:0";
  log = "";

  async start(): Promise<void> {
    const child = spawn(binary, ["serve", "--json", "--data", this.data, "--tls", this.#tls, "--http", this.#http]);
    this.#process = child;
    child.stderr?.on("data", (chunk: Buffer) => (this.log += chunk.toString()));
    const began = performance.now();
    this.ready = await new Promise<Ready>((resolve, reject) => {
      createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line) as Ready));
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${this.log}`)));
    });
    console.log(`server: start to ready in ${(performance.now() - began).toFixed(0)} ms`);
    // Started again, it is at the same address.
    this.#http = this.ready.http;
    this.#tls = this.ready.tls;
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }

  async end(): Promise<void> {
    await this.stop("SIGTERM");
    rmSync(this.data, { recursive: true, force: true });
  }

  // holds tells whether a text lies anywhere in what the server keeps or has said.
  holds(text: string): boolean {
    const files = readdirSync(this.data, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return this.log.includes(text) || files.some((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(text));
  }

  get origin(): string {
    return `http://${this.ready.http}`;
  }
}

// kept gives the passphrase that is suggested, and says that it was written down.
export async function kept(page: Page): Promise<string> {
  await page.getByRole("list", { name: "Your passphrase" }).getByRole("listitem").nth(5).waitFor(); // the last of six words
  await page.getByLabel("I have written it down").check();
  return page.getByLabel("Passphrase", { exact: true }).inputValue();
}

export async function signUp(page: Page, link: string, handle: string): Promise<string> {
  await page.goto(link);
  await page.getByRole("heading", { name: "Come on in" }).waitFor();
  await page.getByLabel("Handle").fill(handle);
  const passphrase = await kept(page);
  await page.getByRole("button", { name: "Make my account" }).click();
  await page.getByRole("heading", { name: "Make yourself at home" }).waitFor();
  return passphrase;
}

// enter opens a room and waits until it has taken the place of the one before.
export async function enter(page: Page, room: RegExp): Promise<void> {
  await page.getByRole("navigation").getByRole("button", { name: room }).click();
  await page.getByRole("textbox", { name: new RegExp(`^Message to .*${room.source.replace("^", "")}`) }).waitFor();
}

export async function say(page: Page, text: string): Promise<void> {
  await page.getByRole("textbox", { name: /^Message to/ }).fill(text);
  await page.keyboard.press("Enter");
}

export const said = (page: Page, text: string) => page.getByRole("region", { name: "Messages" }).getByText(text, { exact: true });

// settled: all messages are in the room's log.
export async function settled(page: Page): Promise<void> {
  const waiting = page.getByText(/^(Sending…|Waiting for the connection|Kept until the room is there)$/);
  await expect.poll(() => waiting.count(), { timeout: 45_000 }).toBe(0);
  expect(await page.getByText("Not sent").count()).toBe(0);
}

// ready tells whether there is all that the stories need, and says loudly what is missing.
export const ready = (): boolean => browserPresent() && present(binary, "the stories need the binary: make build, or set SNUG_BINARY");
