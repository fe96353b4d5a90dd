import { expect, test } from "vitest";
import type { Core } from "../core/core";
import type { Message } from "../core/protocol";
import { Timeline } from "./message.svelte";

function text(seq: number, more: Partial<Message> = {}): Message {
  return { room: "r", seq, id: `m-${seq}`, from: "bob", account: "a-bob", device: "d-bob", deviceName: "", at: seq, kind: "text", text: `${seq}`, gap: "", state: "sent", problem: "", own: false, until: seq, try: "", ask: "", blocked: false, ...more };
}

// log answers as the core does, of messages that the test may add to and change.
function log(messages: Message[]): Core {
  const call = (_: string, { before, limit }: { before: number; limit: number }): Promise<unknown> =>
    Promise.resolve({ messages: messages.filter((message) => before === 0 || message.seq < before).slice(-limit) });
  return { call } as unknown as Core;
}

const seqs = (timeline: Timeline): number[] => timeline.messages.map((message) => message.seq);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, index) => index + 1);

test("has no hole after events were lost, however many messages came meanwhile", async () => {
  const messages = upTo(50).map((seq) => text(seq));
  const timeline = new Timeline(log(messages), "r");
  await timeline.open();
  expect(seqs(timeline)).toEqual(upTo(50));
  for (const seq of upTo(250).slice(50)) messages.push(text(seq));
  await timeline.again();
  while (!timeline.whole) await timeline.older();
  expect(seqs(timeline)).toEqual(upTo(250));
});

test("shows all that is loaded as it is now, not the newest page alone", async () => {
  const messages = upTo(150).map((seq) => text(seq));
  const timeline = new Timeline(log(messages), "r");
  await timeline.open();
  while (!timeline.whole) await timeline.older();
  for (const message of messages.splice(0)) messages.push({ ...message, blocked: true });
  await timeline.again();
  expect(timeline.messages.filter((message) => !message.blocked).map((message) => message.seq)).toEqual([]);
  expect(seqs(timeline)).toEqual(upTo(150));
});
