// A new passphrase: the generated one, or one's own that is strong enough.

import type { Core } from "../core/core";
import { explain, sentence } from "../core/refusal";
import type { Problem } from "./welcome.svelte";

export class NewPassphrase {
  words = $state("");
  again = $state("");
  // One's own instead of the generated one.
  own = $state(false);
  kept = $state(false);
  // Why the chosen one is too weak; empty for one that passes.
  weakness = $state("");

  #core: Core;
  #judged = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  // suggest takes a new generated one; the problem where there is none to be had.
  async suggest(): Promise<Problem | undefined> {
    this.own = false;
    this.kept = false;
    this.weakness = "";
    try {
      const { words } = await this.#core.call("suggestPassphrase", {});
      if (!this.own) this.words = words;
      return undefined;
    } catch (thrown) {
      return explain(thrown);
    }
  }

  chooseOwn(): void {
    this.own = true;
    this.forget();
    this.weakness = "";
  }

  forget(): void {
    this.words = "";
    this.again = "";
  }

  // judge asks whether one's own is strong enough; a late answer about an earlier one is dropped.
  async judge(): Promise<void> {
    const turn = ++this.#judged;
    if (!this.own || this.words === "") {
      this.weakness = "";
      return;
    }
    const { problem } = await this.#core.call("judgePassphrase", { passphrase: this.words });
    if (turn === this.#judged) this.weakness = problem;
  }

  // mistake says why it cannot be taken yet.
  mistake(): Problem | undefined {
    if (this.words.trim() === "") return { message: "The passphrase is missing.", hint: "", field: "passphrase" };
    if (this.own && this.weakness !== "") return { message: "That passphrase is too weak.", hint: sentence(this.weakness), field: "passphrase" };
    if (this.own && this.again !== this.words) return { message: "The two passphrases differ.", hint: "Write it again.", field: "again" };
    if (!this.own && !this.kept) {
      return { message: "Keep your passphrase first.", hint: "It is the only way back in: nobody can reset it for you.", field: "kept" };
    }
    return undefined;
  }
}
