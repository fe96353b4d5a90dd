import { describe, expect, test } from "vitest";
import { Core, type CoreEvent, type Wire } from "./core";
import { Call, Packet, type PacketBody } from "./protocol";
import { CallError } from "./refusal";

class FakeWire implements Wire {
  calls: Call[] = [];
  terminated = false;
  onmessage: Wire["onmessage"] = null;
  onerror: Wire["onerror"] = null;

  postMessage(message: Uint8Array<ArrayBuffer>): void {
    this.calls.push(Call.decode(message));
  }

  terminate(): void {
    this.terminated = true;
  }

  say(data: unknown): void {
    this.onmessage?.({ data } as MessageEvent<unknown>);
  }

  packet(id: number, body: PacketBody): void {
    this.say(Packet.encode({ id, body }));
  }
}

describe("core", () => {
  test("hands each answer to its call, in whatever order they come", async () => {
    const wire = new FakeWire();
    const core = new Core(wire);
    const first = core.call("createInvite", {});
    const second = core.call("post", { room: "r", text: "t" });
    expect(wire.calls.map((call) => call.body?.kind)).toEqual(["createInvite", "post"]);
    wire.packet(2, { kind: "posted", value: { id: "m" } });
    wire.packet(1, { kind: "invite", value: { code: "c", expiresAt: 5 } });
    expect(await second).toEqual({ id: "m" });
    expect(await first).toEqual({ code: "c", expiresAt: 5 });
  });

  test("rejects with what was refused, and with an answer to something else", async () => {
    const wire = new FakeWire();
    const core = new Core(wire);
    const refused = core.call("logout", {});
    const confused = core.call("logout", {});
    wire.packet(1, { kind: "refusal", value: { code: "refused", message: "no", hint: "try" } });
    wire.packet(2, { kind: "posted", value: { id: "m" } });
    await expect(refused).rejects.toMatchObject({ code: "refused", message: "no", hint: "try" });
    await expect(confused).rejects.toBeInstanceOf(CallError);
  });

  test("rejects every call when the worker dies, and every later one", async () => {
    const wire = new FakeWire();
    const core = new Core(wire);
    const causes: string[] = [];
    core.ondeath = (cause) => causes.push(cause);
    const waiting = [core.call("listRooms", {}), core.call("listAccounts", {})];
    wire.say("out of memory");
    for (const call of waiting) await expect(call).rejects.toThrow("out of memory");
    await expect(core.call("listRooms", {})).rejects.toThrow("out of memory");
    wire.say("again");
    expect(causes).toEqual(["out of memory"]);
    expect(wire.terminated).toBe(true);
  });

  test("tells events in order, and dies of bytes that are no packet", () => {
    const wire = new FakeWire();
    const core = new Core(wire);
    const events: CoreEvent["kind"][] = [];
    core.onevent = (event) => events.push(event.kind);
    wire.packet(0, { kind: "accountsChanged", value: {} });
    wire.packet(0, { kind: "resync", value: {} });
    wire.packet(0, { kind: "done", value: {} });
    expect(events).toEqual(["accountsChanged", "resync"]);
    wire.say(new Uint8Array([0xff]));
    expect(wire.terminated).toBe(true);
  });
});
