// The rows of a timeline: messages grouped by who wrote them, days between them.

import type { Message } from "../core/protocol";
import { sameDay } from "./text";

export type Row =
  | { kind: "start"; key: string }
  | { kind: "day"; key: string; at: number }
  | { kind: "unread"; key: string }
  | { kind: "note"; key: string; message: Message }
  | { kind: "message"; key: string; message: Message; first: boolean; last: boolean };

// Messages of one sender stand together where no more than this lies between them.
const together = 5 * 60 * 1000;

// keyOf is what tells messages apart: the id is unique per device, and entries without one have a seq.
export function keyOf(message: Message): string {
  return message.kind === "text" ? `${message.device} ${message.id}` : `seq ${message.seq}`;
}

// compare orders a timeline: by seq, then what has none yet by the time it was written here.
export function compare(a: Message, b: Message): number {
  if (a.seq !== 0 && b.seq !== 0) return a.seq - b.seq;
  if (a.seq !== 0 || b.seq !== 0) return a.seq !== 0 ? -1 : 1;
  return a.at - b.at;
}

// rowsOf lays out messages that are in order. whole: nothing comes before them. unreadAfter is the seq of the last one
// that was read when the room was opened; Infinity for no mark.
export function rowsOf(messages: readonly Message[], whole: boolean, unreadAfter: number): Row[] {
  const rows: Row[] = [];
  if (whole) rows.push({ kind: "start", key: "start" });
  let previous: Message | undefined;
  let marked = false;
  for (const message of messages) {
    const newDay = previous === undefined || !sameDay(previous.at, message.at);
    if (newDay) rows.push({ kind: "day", key: `day ${new Date(message.at).toDateString()} ${keyOf(message)}`, at: message.at });
    let parted = newDay;
    if (!marked && message.seq > unreadAfter && !message.own && message.kind === "text") {
      rows.push({ kind: "unread", key: "unread" });
      marked = true;
      parted = true;
    }
    if (message.kind === "text") {
      const first = parted || previous === undefined || !belongs(previous, message);
      const before = rows.at(-1);
      if (first === false && before?.kind === "message") before.last = false;
      rows.push({ kind: "message", key: keyOf(message), message, first, last: true });
    } else {
      const before = rows.at(-1);
      if (before?.kind === "note" && goesOn(before.message, message)) {
        before.message = { ...before.message, until: Math.max(before.message.until, message.until) };
      } else {
        rows.push({ kind: "note", key: keyOf(message), message });
      }
    }
    previous = message;
  }
  return rows;
}

// goesOn says whether one gap follows another for the same cause, or is a part of it.
function goesOn(gap: Message, next: Message): boolean {
  return gap.kind === "gap" && next.kind === "gap" && gap.gap === next.gap && gap.account === next.account && next.seq <= gap.until + 1;
}

function belongs(previous: Message, message: Message): boolean {
  return previous.kind === "text" && previous.account === message.account && message.at - previous.at < together;
}
