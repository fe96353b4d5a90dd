// A new device that is let in from an old one, on either of the two.

import type { Core } from "../core/core";
import { explain } from "../core/refusal";
import type { Link, Match, Me } from "../core/protocol";
import type { Problem } from "./welcome.svelte";

export class Linking {
  link = $state.raw<Link | undefined>(undefined);
  match = $state.raw<Match | undefined>(undefined);
  // A person has said that both show the same digits.
  agreed = $state(false);
  busy = $state(false);
  linked = $state(false);
  problem = $state<Problem | undefined>(undefined);

  #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  // show begins on the old device: a code, and then the digits when the new one has come.
  async show(): Promise<void> {
    await this.#attempt(async () => {
      this.link = undefined;
      this.match = undefined;
      this.agreed = false;
      this.link = await this.#core.call("startLink", {});
      this.match = await this.#core.call("awaitLink", {});
    });
  }

  // confirm hands the account over.
  async confirm(): Promise<void> {
    await this.#attempt(async () => {
      this.agreed = true;
      await this.#core.call("confirmLink", {});
      this.linked = true;
    });
  }

  // join begins on the new device.
  async join(code: string, deviceName: string): Promise<void> {
    await this.#attempt(async () => {
      this.match = await this.#core.call("joinLink", { code: code.trim(), deviceName });
    });
  }

  // accept takes what the old device hands over; undefined where it does not.
  async accept(): Promise<Me | undefined> {
    return this.#attempt(async () => {
      this.agreed = true;
      return this.#core.call("acceptLink", {});
    });
  }

  // stop ends it on both; the digits were not the same, or somebody has changed their mind.
  async stop(): Promise<void> {
    this.match = undefined;
    this.link = undefined;
    await this.#core.call("cancelLink", {}).catch(() => undefined);
  }

  async #attempt<T>(act: () => Promise<T>): Promise<T | undefined> {
    this.busy = true;
    this.problem = undefined;
    try {
      return await act();
    } catch (thrown) {
      this.problem = explain(thrown);
      this.match = undefined;
      this.agreed = false;
      return undefined;
    } finally {
      this.busy = false;
    }
  }
}
