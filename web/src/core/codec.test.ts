import { describe, expect, test } from "vitest";
import { Call, Packet, type Message } from "./protocol";

const message: Message = {
  room: "r", seq: 7, id: "m", from: "bob", account: "a", device: "d", deviceName: "", at: 1_790_000_000_123,
  kind: "notice", text: "grüße 🍪", gap: "", state: "sent", problem: "", own: true, until: 7, try: "", ask: "", blocked: false,
};

describe("codec", () => {
  test("gives back what it was given", () => {
    const packet: Packet = { id: 0, body: { kind: "messagesChanged", value: { messages: [message, { ...message, seq: 0 }] } } };
    expect(Packet.decode(Packet.encode(packet))).toEqual(packet);
  });

  test("writes the bytes that Go reads", () => {
    const call: Call = { id: 300, body: { kind: "post", value: { room: "r", text: "é" } } };
    expect([...Call.encode(call)]).toEqual([0x08, 0xac, 0x02, 0xc2, 0x02, 0x07, 0x0a, 0x01, 0x72, 0x12, 0x02, 0xc3, 0xa9]);
  });

  test("gives what is absent its zero value", () => {
    expect(Packet.decode(new Uint8Array())).toEqual({ id: 0, body: undefined });
    expect(Packet.decode(new Uint8Array([0xaa, 0x01, 0x00]))).toEqual({
      id: 0,
      body: { kind: "room", value: { room: "", kind: "unspecified", name: "", direct: "", joined: false, members: 0, seq: 0, serverSeq: 0, unread: 0, last: undefined, problem: "", topic: "", role: "", adds: "", edits: "", request: "", waiting: false, gone: false, outside: false, read: 0 } },
    });
  });

  test("refuses what is cut short or too large", () => {
    const whole = Packet.encode({ id: 1, body: { kind: "messages", value: { messages: [message] } } });
    for (let length = 3; length < whole.length; length++) expect(() => Packet.decode(whole.subarray(0, length))).toThrow(RangeError);
    expect(() => Packet.decode(new Uint8Array([0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]))).toThrow(RangeError);
    expect(() => Call.encode({ id: -1, body: undefined })).toThrow(RangeError);
  });
});
