// The whole page: who is signed in, what is open, and the core's events handed to whom they concern.

import type { Core, CoreEvent } from "../core/core";
import { explain, phrase } from "../core/refusal";
import type { Connection, Invite, Me, Message, Progress, Room } from "../core/protocol";
import { People } from "./account.svelte";
import { Alerts } from "./alert.svelte";
import { Archive } from "./archive.svelte";
import { Composer } from "./composer.svelte";
import { SafetyNumber } from "./contact.svelte";
import { Devices } from "./device.svelte";
import { Timeline } from "./message.svelte";
import { Linking } from "./link.svelte";
import { NewPassphrase } from "./passphrase.svelte";
import { keeps, promised, Rooms } from "./room.svelte";
import { Welcome } from "./welcome.svelte";

export type Phase = "starting" | "welcome" | "main" | "dead";

export class App {
  phase = $state<Phase>("starting");
  me = $state.raw<Me | undefined>(undefined);
  connection = $state.raw<Connection>({ online: false, problem: "", retryAt: 0 });
  // Why the core died, or why this device was signed out.
  cause = $state("");
  timeline = $state.raw<Timeline | undefined>(undefined);
  // The last message that came while the room was open, for those who listen instead of look.
  heard = $state.raw<Message | undefined>(undefined);
  // A passing word: what failed that has no place of its own.
  toast = $state("");
  // Whose safety number is shown.
  comparing = $state.raw<SafetyNumber | undefined>(undefined);
  // The invite to a room by which the page was opened, until somebody has decided about it.
  invitedTo = $state("");
  // What the core is busy with, of what takes its time.
  progress = $state.raw<Progress>({ step: "", expectMs: 0 });

  // What this device calls itself.
  readonly deviceName: string;
  readonly rooms: Rooms;
  readonly people: People;
  readonly devices: Devices;
  readonly alerts: Alerts;
  readonly archive: Archive;
  readonly composer = new Composer();
  readonly welcome: Welcome;
  // The room that is open.
  readonly room: Room | undefined = $derived.by(() => {
    if (this.timeline === undefined) return undefined;
    return this.timeline.to === "" ? this.rooms.get(this.timeline.room) : promised(this.timeline.to);
  });

  #core: Core;
  // The page is in front of somebody.
  #attentive = true;

  constructor(core: Core, deviceName: string, invites: { server: string; room: string }) {
    this.#core = core;
    this.deviceName = deviceName;
    this.rooms = new Rooms(core);
    this.people = new People(core);
    this.devices = new Devices(core);
    this.alerts = new Alerts(core);
    this.archive = new Archive(core);
    this.welcome = new Welcome(core, deviceName, invites.server);
    this.invitedTo = invites.room;
    core.onevent = (event) => this.#event(event);
    core.ondeath = (cause) => {
      this.cause = cause;
      this.phase = "dead";
    };
  }

  async start(): Promise<void> {
    try {
      const state = await this.#core.call("getState", {});
      if (state.connection !== undefined) this.#connected(state.connection);
      if (state.me === undefined) this.phase = "welcome";
      else await this.signedIn(state.me);
    } catch (thrown) {
      this.cause = explain(thrown).message;
      this.phase = "dead";
    }
  }

  async signedIn(me: Me): Promise<void> {
    this.me = me;
    this.cause = "";
    this.phase = "main";
    await Promise.all([this.rooms.load(), this.people.load(), this.alerts.load()]);
  }

  async open(room: string): Promise<void> {
    if (this.timeline?.room === room) return;
    this.timeline?.close();
    const timeline = new Timeline(this.#core, room);
    const known = this.rooms.get(room);
    if (known !== undefined && known.unread > 0) timeline.unreadAfter = known.read;
    this.timeline = timeline;
    this.heard = undefined;
    await timeline.open();
    this.#read();
  }

  // follow takes the invites of a link that was opened while the page was there.
  follow(invites: { server: string; room: string }): void {
    if (invites.room !== "") this.invitedTo = invites.room;
    if (invites.server === "") return;
    if (this.phase !== "main") this.welcome.invited(invites.server);
    else this.toast = "That link is for somebody who has no account here yet: you are signed in.";
  }

  close(): void {
    this.timeline?.close();
    this.timeline = undefined;
  }

  // openDirect opens the 1:1 room with somebody. Where it has to be made, or this device has to be let in, there is a place to
  // write meanwhile; the room takes that place when it is there, unless somebody has gone elsewhere by then: what they type is
  // not to land with another. written is where a draft of theirs is.
  async openDirect(handle: string, written = ""): Promise<void> {
    const known = this.rooms.directWith(handle);
    this.composer.move(written, known?.room ?? promised(handle).room);
    if (known !== undefined) return this.open(known.room);
    if (this.timeline?.to === handle) return;
    this.timeline?.close();
    const place = new Timeline(this.#core, promised(handle).room, handle);
    place.onroom = (room) => void this.#arrived(place, room);
    this.timeline = place;
    const made = await this.attempt(async () => this.#arrived(place, await this.rooms.direct(handle)));
    if (!made && this.timeline === place) this.close();
  }

  async #arrived(place: Timeline, room: Room): Promise<void> {
    this.rooms.changed([room]);
    this.composer.move(place.room, room.room);
    if (this.timeline === place) await this.open(room.room);
  }

  // attempt does something whose failure is told by a toast; true where it worked.
  async attempt(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (thrown) {
      this.toast = phrase(thrown);
      return false;
    }
  }

  attend(attentive: boolean): void {
    this.#attentive = attentive;
    this.#read();
  }

  async invite(): Promise<Invite> {
    return this.#core.call("createInvite", {});
  }

  // joinByInvite asks to be let into the room that the page was opened for.
  async joinByInvite(): Promise<void> {
    const room = await this.#core.call("joinByInvite", { code: this.invitedTo });
    this.rooms.changed([room]);
    this.invitedTo = "";
    await this.open(room.room);
  }

  async block(handle: string, unblock: boolean): Promise<void> {
    await this.#core.call("blockAccount", { handle, unblock });
  }

  async blocked(): Promise<string[]> {
    return (await this.#core.call("listBlocked", {})).accounts.map((account) => account.handle);
  }

  newLinking(): Linking {
    return new Linking(this.#core);
  }

  safetyNumber(account: string): SafetyNumber {
    return new SafetyNumber(this.#core, account);
  }

  newPassphrase(): NewPassphrase {
    return new NewPassphrase(this.#core);
  }

  async changePassphrase(passphrase: string, repair: boolean): Promise<void> {
    await this.#core.call("changePassphrase", { passphrase, repair });
  }

  async reconnect(): Promise<void> {
    await this.attempt(() => this.#core.call("reconnect", {}));
  }

  // unsent counts the messages that go with this device when it signs out.
  async unsent(): Promise<number> {
    return (await this.#core.call("getParting", {})).unsent;
  }

  async signOut(): Promise<void> {
    await this.#core.call("logout", {});
    this.#forget("");
  }

  // forget leaves without the server: it may be gone for good.
  async forget(): Promise<void> {
    await this.#core.call("forget", {});
    this.#forget("");
  }

  #event(event: CoreEvent): void {
    switch (event.kind) {
      case "progress":
        this.progress = event.value;
        return;
      case "connectionChanged":
        this.#connected(event.value);
        return;
      case "roomsChanged":
        this.#roomsChanged(event.value.rooms);
        return;
      case "messagesChanged":
        this.timeline?.changed(event.value.messages);
        this.#hear(event.value.messages);
        return;
      case "accountsChanged":
        this.people.changed();
        return;
      case "passphraseChanged":
        if (event.value.problem !== "") this.toast = event.value.problem;
        return;
      case "alertsChanged":
        void this.alerts.load();
        return;
      case "archiveChanged":
        void this.archive.changed();
        void this.timeline?.again();
        return;
      case "signedOut":
        this.#forget(event.value.reason);
        return;
      case "resync":
        // A core that cannot say it is dead, and the page shows that.
        this.#readAgain().catch(() => {});
    }
  }

  #connected(connection: Connection): void {
    const back = connection.online && !this.connection.online;
    this.connection = connection;
    this.people.reachable = connection.online;
    // A sign-in that the page has given up on went through after all.
    if (back && this.phase === "welcome" && !this.welcome.busy) void this.#readAgain().catch(() => {});
    if (!back || this.phase !== "main") return;
    void this.people.load();
    if (!this.rooms.loaded) void this.rooms.load();
  }

  #roomsChanged(rooms: readonly Room[]): void {
    const here = this.room;
    this.rooms.changed(rooms);
    // What was kept for a 1:1 room has moved there.
    if (here !== undefined && this.room === undefined && keeps(here)) void this.openDirect(here.direct, here.room);
    this.#read();
  }

  // readAgain takes what is so from the core: any event may have been left out, also those of signing in and out.
  async #readAgain(): Promise<void> {
    const { me, connection } = await this.#core.call("getState", {});
    if (connection !== undefined) this.#connected(connection);
    if (me === undefined) {
      if (this.phase === "main") this.#forget("");
      return;
    }
    this.me = me;
    if (this.phase === "main") await Promise.all([this.rooms.load(), this.people.load(), this.alerts.load(), this.timeline?.again()]);
    else if (this.phase === "welcome") await this.signedIn(me);
  }

  #hear(messages: readonly Message[]): void {
    const theirs = messages.filter((message) => message.room === this.timeline?.room && message.kind === "text" && !message.own);
    if (theirs.length > 0) this.heard = theirs.at(-1);
  }

  // read marks the open room as read while somebody looks at it.
  #read(): void {
    if (this.#attentive && this.timeline?.loaded === true && (this.room?.unread ?? 0) > 0) {
      void this.rooms.markRead(this.timeline.room, this.timeline.seq);
    }
  }

  // forget leaves nothing of who was here for who comes next: they may be in the same rooms.
  #forget(reason: string): void {
    this.close();
    this.me = undefined;
    this.rooms.list = [];
    this.rooms.loaded = false;
    this.people.list = [];
    this.people.loaded = false;
    this.devices.list = [];
    this.alerts.forget();
    this.archive.state = undefined;
    this.composer.clear();
    this.comparing = undefined;
    this.heard = undefined;
    this.toast = "";
    this.cause = reason;
    void this.welcome.choose("in");
    this.phase = "welcome";
  }
}
