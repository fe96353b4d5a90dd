// One room's timeline: what is loaded of it, what is under way, and where a reader stands.

import type { Core } from "../core/core";
import { explain, phrase } from "../core/refusal";
import type { Message, Room } from "../core/protocol";
import { compare, keyOf, rowsOf, type Row } from "./row";

// How many messages one step back into a room's history brings.
const page = 60;
// How many the core hands out at once.
const most = 500;

export class Timeline {
  readonly room: string;
  // Whom a 1:1 room is with that is not there yet: then there is nothing to read, and room is no room's id.
  readonly to: string;
  // Told of the room in which what was said to them stands.
  onroom: (room: Room) => void = () => {};
  messages = $state.raw<Message[]>([]);
  // Nothing comes before the first message.
  whole = $state(false);
  loading = $state(false);
  loaded = $state(false);
  problem = $state("");
  // Set while the last change put messages before the others: the view keeps its place by the end.
  shifted = $state(false);
  unreadAfter = $state(Infinity);
  rows: Row[] = $derived(rowsOf(this.messages, this.whole, this.unreadAfter));

  // The last that is shown of the room's log.
  seq: number = $derived(this.messages.reduce((last, message) => Math.max(last, message.seq), 0));

  #core: Core;
  #closed = false;
  // There is more to be read than there was when the loading that is under way began.
  #stale = false;

  constructor(core: Core, room: string, to = "") {
    this.#core = core;
    this.room = room;
    this.to = to;
    this.loaded = this.whole = to !== "";
  }

  // open loads the newest messages.
  async open(): Promise<void> {
    await this.#load(0);
  }

  // older loads what comes before; it does nothing while it is at it, and at the beginning.
  async older(): Promise<void> {
    const first = this.messages.find((message) => message.seq !== 0);
    if (this.loading || this.whole || first === undefined) return;
    await this.#load(first.seq);
  }

  // again loads what is loaded once more, in its place: there may be messages now where something was missing, others may
  // look another way, and what came while events were lost may be more than the newest page.
  async again(): Promise<void> {
    this.#stale = this.loading;
    if (this.loading || !this.loaded) return;
    await this.#load(0, Math.min(most, Math.max(page, this.messages.length)));
  }

  // changed takes in messages of this room that are new or have a new state.
  changed(messages: readonly Message[]): void {
    const ours = messages.filter((message) => message.room === this.room);
    if (ours.length > 0) this.#merge(ours, false);
  }

  // post says something: it is in the timeline when it is durable on this device.
  async post(text: string): Promise<void> {
    if (this.to === "") await this.#core.call("post", { room: this.room, text });
    else this.onroom(await this.#core.call("postDirect", { handle: this.to, text }));
  }

  async retry(message: Message): Promise<void> {
    await this.#tell(this.#core.call("retry", { room: this.room, id: message.id }));
  }

  async discard(message: Message): Promise<void> {
    await this.#tell(
      this.#core.call("discard", { room: this.room, id: message.id }).then(() => {
        this.messages = this.messages.filter((other) => keyOf(other) !== keyOf(message));
      }),
    );
  }

  close(): void {
    this.#closed = true;
  }

  // load reads the messages before one, or as many of the newest ones in the place of all that is loaded.
  async #load(before: number, anew = 0): Promise<void> {
    if (this.to !== "") return;
    const limit = anew === 0 ? page : anew;
    this.loading = true;
    this.problem = "";
    try {
      const { messages } = await this.#core.call("listMessages", { room: this.room, before, after: 0, limit });
      if (this.#closed) return;
      const placed = messages.filter((message) => message.seq !== 0);
      if (anew !== 0) this.messages = [];
      this.#merge(messages, before !== 0);
      if (anew !== 0 || placed.length < limit) this.whole = placed.length < limit;
      this.loaded = true;
    } catch (thrown) {
      this.problem = phrase(thrown);
    } finally {
      this.loading = false;
    }
    if (this.#stale) await this.again();
  }

  async #tell(attempt: Promise<unknown>): Promise<void> {
    try {
      await attempt;
      this.problem = "";
    } catch (thrown) {
      this.problem = explain(thrown).message;
    }
  }

  #merge(news: readonly Message[], before: boolean): void {
    const byKey = new Map(this.messages.map((message) => [keyOf(message), message]));
    for (const message of news) byKey.set(keyOf(message), message);
    this.shifted = before;
    this.messages = [...byKey.values()].sort(compare);
  }
}
