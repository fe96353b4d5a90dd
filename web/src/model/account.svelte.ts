// The people of the server.

import type { Core } from "../core/core";
import type { Account } from "../core/protocol";

// Changes come in bursts when many people connect: the list is read again at most this often.
const rest = 500;

export class People {
  list = $state.raw<Account[]>([]);
  loaded = $state(false);
  // Without a connection nobody is known to be online.
  reachable = $state(true);

  #core: Core;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(core: Core) {
    this.#core = core;
  }

  async load(): Promise<void> {
    try {
      const { accounts } = await this.#core.call("listAccounts", {});
      this.list = accounts.sort((a, b) => Number(b.online) - Number(a.online) || a.handle.localeCompare(b.handle));
      this.loaded = true;
    } catch {
      // The connection's banner says why; what was known stays.
    }
  }

  changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.load();
    }, rest);
  }

  online(handle: string): boolean {
    return this.reachable && this.list.some((account) => account.handle === handle && account.online);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
