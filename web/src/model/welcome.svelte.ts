// Signing up and signing in.

import type { Core } from "../core/core";
import { explain } from "../core/refusal";
import type { Me } from "../core/protocol";

export interface Problem {
  message: string;
  hint: string;
}

export class Welcome {
  mode = $state<"up" | "in">("in");
  handle = $state("");
  passphrase = $state("");
  again = $state("");
  invite = $state("");
  // The code came by the link and was not refused: nobody need look at it.
  byLink = $state(false);
  // A passphrase of one's own instead of the generated one.
  own = $state(false);
  kept = $state(false);
  busy = $state(false);
  step = $state("");
  problem = $state<Problem | undefined>(undefined);
  // Why the chosen passphrase is too weak; empty for one that passes.
  weakness = $state("");

  #core: Core;
  #deviceName: string;
  #judged = 0;

  constructor(core: Core, deviceName: string, invite: string) {
    this.#core = core;
    this.#deviceName = deviceName;
    if (invite !== "") this.invited(invite);
  }

  // invited takes the code of a link that was followed.
  invited(code: string): void {
    this.invite = code;
    this.byLink = true;
    void this.choose("up");
  }

  async choose(mode: "up" | "in"): Promise<void> {
    this.mode = mode;
    this.problem = undefined;
    this.passphrase = "";
    this.again = "";
    if (mode === "up") await this.suggest();
  }

  // suggest takes a new generated passphrase.
  async suggest(): Promise<void> {
    this.own = false;
    this.kept = false;
    this.weakness = "";
    try {
      const { words } = await this.#core.call("suggestPassphrase", {});
      if (!this.own) this.passphrase = words;
    } catch (thrown) {
      this.problem = explain(thrown);
    }
  }

  chooseOwn(): void {
    this.own = true;
    this.passphrase = "";
    this.again = "";
    this.weakness = "";
  }

  // judge asks whether the chosen passphrase is strong enough; a late answer about an earlier one is dropped.
  async judge(): Promise<void> {
    const turn = ++this.#judged;
    if (this.passphrase === "") {
      this.weakness = "";
      return;
    }
    const { problem } = await this.#core.call("judgePassphrase", { passphrase: this.passphrase });
    if (turn === this.#judged) this.weakness = problem;
  }

  progress(step: string): void {
    this.step = step;
  }

  // submit signs up or in; undefined where it did not work, with the problem shown.
  async submit(): Promise<Me | undefined> {
    const mistake = this.#mistake();
    if (mistake !== undefined) {
      this.problem = mistake;
      return undefined;
    }
    this.busy = true;
    this.problem = undefined;
    this.step = "";
    const handle = this.handle.trim().replace(/^@/u, "").toLowerCase();
    try {
      const shared = { handle, passphrase: this.passphrase, deviceName: this.#deviceName };
      return this.mode === "up"
        ? await this.#core.call("register", { ...shared, invite: this.invite.trim() })
        : await this.#core.call("login", shared);
    } catch (thrown) {
      this.problem = explain(thrown);
      this.byLink = false;
      return undefined;
    } finally {
      this.busy = false;
    }
  }

  #mistake(): Problem | undefined {
    const handle = this.handle.trim().replace(/^@/u, "");
    if (!/^[a-z0-9._-]{3,32}$/u.test(handle.toLowerCase())) {
      return { message: "that is not a handle", hint: "use 3 to 32 of: a–z, 0–9, dot, dash, underscore" };
    }
    if (this.passphrase.trim() === "") return { message: "the passphrase is missing", hint: "" };
    if (this.mode === "in") return undefined;
    if (this.own && this.weakness !== "") return { message: "that passphrase is too weak", hint: this.weakness };
    if (this.own && this.again !== this.passphrase) return { message: "the two passphrases differ", hint: "write it again" };
    if (!this.own && !this.kept) {
      return { message: "keep your passphrase first", hint: "it is the only way back in: nobody can reset it for you" };
    }
    return undefined;
  }
}
