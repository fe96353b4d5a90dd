// Signing up and signing in.

import type { Core } from "../core/core";
import { explain } from "../core/refusal";
import type { Me } from "../core/protocol";
import { NewPassphrase } from "./passphrase.svelte";

export interface Problem {
  message: string;
  hint: string;
  // Where it is put right, where that is known.
  field?: "handle" | "passphrase" | "again" | "kept";
}

export class Welcome {
  mode = $state<"up" | "in">("in");
  handle = $state("");
  // Of signing in; the one of a new account is chosen's.
  passphrase = $state("");
  invite = $state("");
  // The code came by the link and was not refused: nobody need look at it.
  byLink = $state(false);
  busy = $state(false);
  problem = $state<Problem | undefined>(undefined);

  readonly chosen: NewPassphrase;

  #core: Core;
  #deviceName: string;
  #submitting = false;

  constructor(core: Core, deviceName: string, invite: string) {
    this.#core = core;
    this.chosen = new NewPassphrase(core);
    this.#deviceName = deviceName;
    if (invite !== "") this.invited(invite);
  }

  // invited takes the code of a link that was followed; not while another is being looked at.
  invited(code: string): void {
    if (this.busy) return;
    this.invite = code;
    this.byLink = true;
    void this.choose("up");
  }

  async choose(mode: "up" | "in"): Promise<void> {
    this.mode = mode;
    this.problem = undefined;
    this.passphrase = "";
    this.chosen.forget();
    if (mode === "up") this.problem = await this.chosen.suggest();
  }

  // submit signs up or in; undefined where it did not work, with the problem shown.
  async submit(): Promise<Me | undefined> {
    // A second press of Enter while the first is looked at makes no second account.
    if (this.#submitting) return undefined;
    this.#submitting = true;
    try {
      if (this.mode === "up") await this.chosen.judge();
      this.problem = this.#mistake();
      if (this.problem !== undefined) return undefined;
      this.busy = true;
      const me = await this.#enter();
      // The page keeps it no longer than it has to.
      this.passphrase = "";
      this.chosen.forget();
      return me;
    } catch (thrown) {
      const problem = explain(thrown);
      this.problem = this.mode === "in" && problem.code === "refused" ? { ...problem, field: "passphrase" } : problem;
      this.byLink = false;
      return undefined;
    } finally {
      this.busy = false;
      this.#submitting = false;
    }
  }

  #enter(): Promise<Me> {
    const shared = { handle: this.#name(), deviceName: this.#deviceName };
    return this.mode === "up"
      ? this.#core.call("register", { ...shared, passphrase: this.chosen.words, invite: this.invite.trim() })
      : this.#core.call("login", { ...shared, passphrase: this.passphrase });
  }

  // name is the handle as it was meant.
  #name(): string {
    return this.handle.trim().replace(/^@/u, "").toLowerCase();
  }

  #mistake(): Problem | undefined {
    if (!/^(?=.{3,32}$)[a-z0-9](?:[a-z0-9._-]*[a-z0-9])$/u.test(this.#name())) {
      return { message: "That is not a handle.", hint: "A handle has 3 to 32 letters a–z, digits, dots, dashes and underscores. It begins and ends with a letter or a digit.", field: "handle" };
    }
    if (this.mode === "up") return this.chosen.mistake();
    return this.passphrase.trim() === "" ? { message: "The passphrase is missing.", hint: "", field: "passphrase" } : undefined;
  }
}
