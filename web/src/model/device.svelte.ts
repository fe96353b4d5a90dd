// The devices of this account.

import type { Core } from "../core/core";
import type { Device } from "../core/protocol";

export class Devices {
  list = $state.raw<Device[]>([]);

  #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  async load(): Promise<void> {
    this.list = (await this.#core.call("listDevices", {})).devices;
  }

  async rename(device: string, name: string): Promise<void> {
    await this.#core.call("renameDevice", { device, name: name.trim() });
    await this.load();
  }

  async revoke(device: string): Promise<void> {
    await this.#core.call("revokeDevice", { device });
    await this.load();
  }
}
