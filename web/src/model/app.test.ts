import { expect, test, vi } from "vitest";
import type { CallKind, Core, CoreEvent } from "../core/core";
import type { Alert, Message, Room } from "../core/protocol";
import { App } from "./app.svelte";

const me = { account: "a-alice", handle: "alice", device: "d-alice", deviceName: "Chrome", owner: false };

function text(seq: number): Message {
  return { room: "r-home", seq, id: `m-${seq}`, from: "bob", account: "a-bob", device: "d-bob", deviceName: "", at: seq, kind: "text", text: `${seq}`, gap: "", state: "sent", problem: "", own: false, until: seq, try: "", ask: "", blocked: false };
}

function room(id: string, more: Partial<Room> = {}): Room {
  return { room: id, kind: "sealed", name: id, direct: "", joined: true, members: 2, seq: 0, serverSeq: 0, unread: 0, last: undefined, problem: "", topic: "", role: "owner", adds: "admin", edits: "admin", stranger: undefined, request: "", waiting: false, gone: false, outside: false, read: 0, ...more };
}

// Scripted is a core of which the test says what is so.
class Scripted {
  signedIn = true;
  rooms: Room[] = [room("r-home")];
  alerts: Alert[] = [];
  messages: Message[] = [];
  // What has been asked.
  asked: [CallKind, unknown][] = [];
  onevent: (event: CoreEvent) => void = () => {};
  answers: Partial<Record<CallKind, (value: never) => unknown>> = {
    getState: () => ({ me: this.signedIn ? me : undefined, connection: { online: true, problem: "", retryAt: 0 } }),
    listAccounts: () => ({ accounts: [] }),
    listAlerts: () => ({ alerts: this.alerts }),
    listRooms: () => ({ rooms: this.rooms }),
    listMessages: ({ before, limit }: { before: number; limit: number }) => ({ messages: this.messages.filter((message) => before === 0 || message.seq < before).slice(-limit) }),
    markRead: () => ({}),
    suggestPassphrase: () => ({ words: "one two three four five six" }),
    judgePassphrase: () => ({ problem: "" }),
  };

  async call(kind: CallKind, value: unknown): Promise<unknown> {
    this.asked.push([kind, value]);
    const answer = this.answers[kind];
    if (answer === undefined) throw new Error(`nobody has said what ${kind} gives`);
    return answer(value as never);
  }
}

async function started(core: Scripted): Promise<App> {
  const app = new App(core as unknown as Core, "Chrome", { server: "", room: "" });
  await app.start();
  return app;
}

const resync: CoreEvent = { kind: "resync", value: {} };

test("reads anew all that is shown when events were left out", async () => {
  const core = new Scripted();
  for (let seq = 1; seq <= 40; seq++) core.messages.push(text(seq));
  const app = await started(core);
  await app.open("r-home");
  for (let seq = 41; seq <= 240; seq++) core.messages.push(text(seq));
  core.onevent(resync);
  const seqs = (): number[] => app.timeline?.messages.map((message) => message.seq) ?? [];
  await vi.waitFor(() => expect(seqs().at(-1)).toBe(240));
  expect(seqs()).toEqual(Array.from({ length: seqs().length }, (_, index) => 241 - seqs().length + index));
});

test("notices by reading anew that somebody has signed out, or in", async () => {
  const core = new Scripted();
  const app = await started(core);
  await app.open("r-home");
  core.signedIn = false;
  core.onevent(resync);
  await vi.waitFor(() => expect(app.phase).toBe("welcome"));
  expect([app.me, app.timeline, app.rooms.list]).toEqual([undefined, undefined, []]);
  core.signedIn = true;
  core.onevent(resync);
  await vi.waitFor(() => expect(app.phase).toBe("main"));
  expect([app.me?.handle, app.rooms.list.length]).toEqual(["alice", 1]);
});

test("leaves nothing for who signs in next: neither drafts nor the passphrase", async () => {
  const core = new Scripted();
  const app = await started(core);
  app.composer.write("r-home", "not for everybody's eyes");
  core.onevent({ kind: "signedOut", value: { reason: "" } });
  expect(app.composer.draft("r-home")).toBe("");
  core.answers.login = () => me;
  app.welcome.handle = "bob";
  app.welcome.passphrase = "velvet tundra 9 mosaic harpoon glacier";
  await app.welcome.submit();
  expect(app.welcome.passphrase).toBe("");
});

test("shows alerts until they are dismissed, and none to who signs in next", async () => {
  const core = new Scripted();
  const alert: Alert = { id: 7, kind: "device_added", device: "d-2", deviceName: "Firefox", at: 5, revoked: false };
  core.alerts = [alert];
  const app = await started(core);
  expect(app.alerts.list).toEqual([alert]);
  const another = { ...alert, id: 8 };
  core.alerts = [alert, another];
  core.onevent({ kind: "alertsChanged", value: {} });
  await vi.waitFor(() => expect(app.alerts.list).toEqual([alert, another]));
  core.answers.dismissAlerts = ({ ids }: { ids: number[] }) => {
    core.alerts = core.alerts.filter(({ id }) => !ids.includes(id));
    return {};
  };
  await app.alerts.dismiss([alert]);
  expect(app.alerts.list).toEqual([another]);
  // An answer that comes late, to somebody else's question, shows nothing.
  const late = app.alerts.load();
  core.onevent({ kind: "signedOut", value: { reason: "" } });
  await late;
  expect(app.alerts.list).toEqual([]);
});

test("makes one account, however often it is asked to", async () => {
  const core = new Scripted();
  core.signedIn = false;
  const app = await started(core);
  await app.welcome.choose("up");
  app.welcome.handle = "alice";
  app.welcome.chosen.kept = true;
  core.answers.register = () => me;
  await Promise.all([app.welcome.submit(), app.welcome.submit()]);
  expect(core.asked.filter(([kind]) => kind === "register").length).toBe(1);
  expect(app.welcome.chosen.words).toBe("");
});

for (const { handle, ok } of [
  { handle: "al", ok: false },
  { handle: "ali", ok: true },
  { handle: "@Ali", ok: true },
  { handle: "ali.", ok: false },
  { handle: "_ali", ok: false },
  { handle: "a-._i", ok: true },
  { handle: "a".repeat(32), ok: true },
  { handle: "a".repeat(33), ok: false },
]) {
  test(`the handle ${handle} is ${ok ? "sent" : "a mistake that is told here"}`, async () => {
    const core = new Scripted();
    core.signedIn = false;
    const app = await started(core);
    core.answers.login = () => me;
    app.welcome.handle = handle;
    app.welcome.passphrase = "velvet";
    const entered = (await app.welcome.submit()) !== undefined;
    expect([entered, app.welcome.problem?.field]).toEqual(ok ? [true, undefined] : [false, "handle"]);
  });
}

// later is an answer that the test gives when it wants to.
function later<T>(): { answer: Promise<T>; give: (value: T) => void; refuse: (why: Error) => void } {
  let give: (value: T) => void = () => {};
  let refuse: (why: Error) => void = () => {};
  const answer = new Promise<T>((resolve, reject) => {
    give = resolve;
    refuse = reject;
  });
  return { answer, give, refuse };
}

test("has a place to write to somebody at once, which the room takes when it is there", async () => {
  const core = new Scripted();
  const made = later<Room>();
  core.answers.openDirect = () => made.answer;
  const app = await started(core);
  void app.openDirect("bob");
  await vi.waitFor(() => expect(app.room).toMatchObject({ direct: "bob", joined: false, waiting: true }));
  app.composer.write(app.timeline?.room ?? "", "half a sen");
  made.give(room("r-bob", { direct: "bob" }));
  await vi.waitFor(() => expect(app.timeline?.room).toBe("r-bob"));
  expect(app.composer.draft("r-bob")).toBe("half a sen");
});

test("does not take somebody away who has gone elsewhere meanwhile", async () => {
  const core = new Scripted();
  const made = later<Room>();
  core.answers.openDirect = () => made.answer;
  const app = await started(core);
  const opening = app.openDirect("bob");
  await vi.waitFor(() => expect(app.room?.direct).toBe("bob"));
  app.composer.write(app.timeline?.room ?? "", "for bob alone");
  await app.open("r-home");
  made.give(room("r-bob", { direct: "bob" }));
  await opening;
  expect(app.timeline?.room).toBe("r-home");
  expect([app.composer.draft("r-home"), app.composer.draft("r-bob")]).toEqual(["", "for bob alone"]);
});

test("keeps what is said to somebody before the room is there, and goes there with it", async () => {
  const core = new Scripted();
  core.answers.openDirect = () => new Promise(() => {});
  core.answers.postDirect = () => room("r-kept", { direct: "bob", joined: false, waiting: true });
  const app = await started(core);
  void app.openDirect("bob");
  await vi.waitFor(() => expect(app.timeline?.to).toBe("bob"));
  const place = app.timeline;
  if (place === undefined) throw new Error("there is no place to write");
  app.composer.write(place.room, "call me");
  await app.composer.send(place);
  expect(core.asked.filter(([kind]) => kind === "postDirect")).toEqual([["postDirect", { handle: "bob", text: "call me" }]]);
  await vi.waitFor(() => expect(app.timeline?.room).toBe("r-kept"));
  app.composer.write("r-kept", "and brin");
  core.onevent({ kind: "roomsChanged", value: { rooms: [room("r-kept", { gone: true }), room("r-bob", { direct: "bob" })] } });
  await vi.waitFor(() => expect(app.timeline?.room).toBe("r-bob"));
  expect(app.composer.draft("r-bob")).toBe("and brin");
});

test("says why there is no room with somebody, and keeps what was written", async () => {
  const core = new Scripted();
  const made = later<Room>();
  core.answers.openDirect = () => made.answer;
  const app = await started(core);
  const opening = app.openDirect("bob");
  await vi.waitFor(() => expect(app.timeline?.to).toBe("bob"));
  app.composer.write(app.timeline?.room ?? "", "hello");
  made.refuse(new Error("nobody is called @bob"));
  await opening;
  expect([app.timeline, app.toast]).toEqual([undefined, "Nobody is called @bob."]);
  void app.openDirect("bob");
  await vi.waitFor(() => expect(app.composer.draft(app.timeline?.room ?? "")).toBe("hello"));
});

test("marks as new what came after the place that was read, however many entries are no messages", async () => {
  const core = new Scripted();
  for (let seq = 1; seq <= 9; seq++) core.messages.push({ ...text(seq), kind: seq % 2 === 0 ? "notice" : "text" });
  core.rooms = [room("r-home", { seq: 9, unread: 4, read: 2 })];
  const app = await started(core);
  await app.open("r-home");
  const rows = app.timeline?.rows ?? [];
  const mark = rows.findIndex((row) => row.kind === "unread");
  expect(rows.slice(mark, mark + 2).map((row) => row.key)).toEqual(["unread", "d-bob m-3"]);
});
