import { describe, expect, test } from "vitest";
import type { Message } from "../core/protocol";
import { compare, rowsOf } from "./row";
import { hue, oneLine, visible } from "./text";

const noon = new Date(2026, 4, 4, 12).getTime();
const minute = 60_000;

function said(seq: number, from: string, at: number, more: Partial<Message> = {}): Message {
  return { room: "r", seq, id: `m${seq}${at}`, from, account: from, device: from, deviceName: "", at, kind: "text", text: "t", gap: "", state: "sent", problem: "", own: from === "me", until: seq, try: "", ask: "", blocked: false, ...more };
}

describe("rows", () => {
  test("group what one person says within five minutes", () => {
    const rows = rowsOf([said(1, "bob", noon), said(2, "bob", noon + minute), said(3, "me", noon + 2 * minute), said(4, "me", noon + 9 * minute)], true, Infinity);
    expect(rows.map((row) => (row.kind === "message" ? `${row.message.seq}${row.first ? " first" : ""}${row.last ? " last" : ""}` : row.kind))).toEqual([
      "start", "day", "1 first", "2 last", "3 first last", "4 first last",
    ]);
  });

  test("part days, and what was not read", () => {
    const rows = rowsOf([said(1, "bob", noon), said(2, "bob", noon + minute), said(3, "bob", noon + 24 * 60 * minute)], false, 1);
    expect(rows.map((row) => row.kind)).toEqual(["day", "message", "unread", "message", "day", "message"]);
    expect(new Set(rows.map((row) => row.key)).size).toBe(rows.length);
  });

  test("put together gaps that follow one another for one cause", () => {
    const gap = (seq: number, until: number, cause: string): Message => said(seq, "bob", noon, { kind: "gap", gap: cause, until });
    const rows = rowsOf([gap(1, 4, "a"), gap(5, 5, "a"), gap(3, 3, "a"), gap(6, 6, "b"), gap(8, 9, "b")], false, Infinity);
    expect(rows.map((row) => (row.kind === "note" ? [row.message.seq, row.message.until] : row.kind))).toEqual(["day", [1, 5], [6, 6], [8, 9]]);
  });

  test("order what is in the log by seq, and what is not yet after it", () => {
    const list = [said(0, "me", noon), said(9, "bob", noon + minute), said(2, "bob", noon + 5 * minute), said(0, "me", noon - minute)];
    expect(list.sort(compare).map((m) => [m.seq, m.at - noon])).toEqual([[2, 5 * minute], [9, minute], [0, -minute], [0, 0]]);
  });
});

describe("text", () => {
  test("shows control characters, and does not obey them", () => {
    expect(visible("a\u0007b\r\nc\td\u202ee")).toBe("a\u2407b\nc\td\ufffde");
    expect(oneLine(" two\n lines \u202e\u2066x")).toBe("two lines x");
  });

  test("gives a name one hue of eight", () => {
    const hues = ["alice", "bob", "carol.m", "dave", "erin_the_third", "oskar", "Lobby", "Notices"].map(hue);
    expect(hues.every((h) => Number.isInteger(h) && h >= 0 && h < 8)).toBe(true);
    expect(new Set(hues).size).toBeGreaterThan(4);
    expect(hue("alice")).toBe(hues[0]);
  });
});
