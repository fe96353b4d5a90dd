// Another account, and whether it is whom its handle says.

import type { Core } from "../core/core";
import { explain } from "../core/refusal";
import type { Contact } from "../core/protocol";
import type { Problem } from "./welcome.svelte";

export class SafetyNumber {
  contact = $state.raw<Contact | undefined>(undefined);
  problem = $state<Problem | undefined>(undefined);
  busy = $state(false);

  readonly account: string;
  #core: Core;

  constructor(core: Core, account: string) {
    this.#core = core;
    this.account = account;
  }

  async load(): Promise<void> {
    await this.#take(() => this.#core.call("getContact", { account: this.account }));
  }

  // verify keeps that the other person sees this number.
  async verify(number: string): Promise<void> {
    await this.#take(() => this.#core.call("verifyContact", { account: this.account, number }));
  }

  async unverify(): Promise<void> {
    await this.#take(() => this.#core.call("unverifyContact", { account: this.account }));
  }

  async accept(): Promise<void> {
    await this.#take(() => this.#core.call("acceptContact", { account: this.account }));
  }

  async #take(ask: () => Promise<Contact>): Promise<void> {
    this.busy = true;
    this.problem = undefined;
    try {
      this.contact = await ask();
    } catch (thrown) {
      this.problem = explain(thrown);
    } finally {
      this.busy = false;
    }
  }
}
