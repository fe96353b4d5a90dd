// History for new devices: what this account keeps of its sealed rooms on the server.

import type { Core } from "../core/core";
import type { Archive as State } from "../core/protocol";

export class Archive {
  state = $state.raw<State | undefined>(undefined);

  #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  async load(): Promise<void> {
    this.state = await this.#core.call("getArchive", {});
  }

  // changed reads the state again, where somebody looks at it.
  async changed(): Promise<void> {
    if (this.state !== undefined) await this.load().catch(() => {});
  }

  // set turns the account's switch, or a room's.
  async set(room: string, on: boolean): Promise<void> {
    this.state = await this.#core.call("setArchive", { room, on });
  }
}
