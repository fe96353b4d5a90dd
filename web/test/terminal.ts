// A person at a terminal: the verbs of the real binary in a home of their own.

import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { binary } from "./people";

export interface Entry {
  room: string;
  seq: number;
  id?: string;
  from?: string;
  text?: string;
  gap?: string;
}

export class Terminal {
  readonly home = mkdtempSync(join(tmpdir(), "snug-home-"));
  readonly passphraseFile = join(this.home, "passphrase");
  readonly environment = { ...process.env, SNUG_HOME: this.home };

  constructor(passphrase: string) {
    writeFileSync(this.passphraseFile, `${passphrase}\n`, { mode: 0o600 });
  }

  // run carries a verb out and gives the objects that it prints.
  run(...args: string[]): Promise<Record<string, unknown>[]> {
    return new Promise((resolve, reject) => {
      execFile(binary, [...args, "--json"], { env: this.environment }, (error, out, err) => {
        if (error !== null) reject(new Error(`snug ${args.join(" ")}: ${err}`));
        else resolve(out.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Record<string, unknown>));
      });
    });
  }

  // texts gives the messages that are in a room now, from the first one on.
  async texts(room: string): Promise<Record<string, unknown>[]> {
    return (await this.run("tail", room, "--since", "0", "--once")).filter((entry) => entry["text"] !== undefined);
  }

  follow(room: string): Follower {
    return new Follower(spawn(binary, ["tail", room, "--since", "0", "--json"], { env: this.environment, stdio: ["ignore", "pipe", "ignore"] }));
  }

  end(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

// Follower is `snug tail` from the beginning of the room, running.
export class Follower {
  readonly entries: Entry[] = [];
  readonly #child: ChildProcess;
  #wake = (): void => {};

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new Error("tail has no output");
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.entries.push(JSON.parse(line) as Entry);
      this.#wake();
    });
  }

  // texts gives the messages as soon as there are n of them; the test's own deadline bounds the wait.
  async texts(n: number): Promise<Entry[]> {
    for (;;) {
      const texts = this.entries.filter((entry) => entry.text !== undefined);
      if (texts.length >= n) return texts;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  stop(): void {
    this.#child.kill("SIGINT");
  }
}
