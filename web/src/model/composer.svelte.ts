// Drafts: what was written in each room and not yet sent. They live in memory and end with the page.

import { SvelteMap } from "svelte/reactivity";
import { phrase } from "../core/refusal";
import type { Timeline } from "./message.svelte";

// As in the protocol, in bytes of UTF-8.
const maxText = 32 * 1024;

export class Composer {
  problem = $state("");
  #drafts = new SvelteMap<string, string>();

  draft(room: string): string {
    return this.#drafts.get(room) ?? "";
  }

  write(room: string, text: string): void {
    this.problem = "";
    if (text === "") this.#drafts.delete(room);
    else this.#drafts.set(room, text);
  }

  clear(): void {
    this.problem = "";
    this.#drafts.clear();
  }

  // move takes what was written in one place to another.
  move(from: string, to: string): void {
    const written = this.draft(from);
    if (from === to || written === "") return;
    this.write(from, "");
    this.add(to, written);
  }

  // add puts a line at the end of a draft.
  add(room: string, text: string): void {
    const written = this.draft(room);
    this.write(room, written === "" ? text : `${written}\n${text}`);
  }

  // send posts a room's draft, which comes back where that fails.
  async send(timeline: Timeline): Promise<void> {
    const text = this.draft(timeline.room).trim();
    if (text === "") return;
    if (new TextEncoder().encode(text).length > maxText) {
      this.problem = "This is too long for one message: send it in parts.";
      return;
    }
    this.write(timeline.room, "");
    try {
      await timeline.post(text);
    } catch (thrown) {
      const written = this.draft(timeline.room);
      this.write(timeline.room, written === "" ? text : `${text}\n${written}`);
      this.problem = phrase(thrown);
    }
  }
}
