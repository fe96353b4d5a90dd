// What was done to this account on other devices, until somebody has looked at it here.

import type { Core } from "../core/core";
import type { Alert } from "../core/protocol";

export class Alerts {
  list = $state.raw<Alert[]>([]);

  #core: Core;
  // Tells the newest question from those whose answers come after its own.
  #asked = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  async load(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const { alerts } = await this.#core.call("listAlerts", {});
      if (asked === this.#asked) this.list = alerts;
    } catch {
      // Who has signed out meanwhile has none; a core that is dead is shown as such.
    }
  }

  // dismiss takes away those that somebody has seen.
  async dismiss(seen: readonly Alert[]): Promise<void> {
    await this.#core.call("dismissAlerts", { ids: seen.map((alert) => alert.id) });
    await this.load();
  }

  forget(): void {
    this.#asked++;
    this.list = [];
  }
}
