// A core that is scripted and lives in memory: it answers as the real one does, so that the page can be tried and
// looked at by itself. It stands in for the worker's script and is in no product.

import { Call, Packet, type Alert, type CallBody, type Message, type PacketBody, type Room, type RoomInvite } from "../../src/core/protocol";

const scope = self as unknown as DedicatedWorkerGlobalScope;
const minute = 60_000;
const now = Date.now();
const me = { account: "a-alice", handle: "alice", device: "d-alice", deviceName: "Chrome on Linux", owner: true };
const script = new URL(self.location.href).searchParams;

let signedIn = script.has("in") || self.name.includes("in");
let online = true;
const accounts = [
  { account: "a-alice", handle: "alice", online: true, seenAt: 0 },
  { account: "a-bob", handle: "bob", online: true, seenAt: 0 },
  { account: "a-carol", handle: "carol.m", online: true, seenAt: 0 },
  { account: "a-dave", handle: "dave", online: false, seenAt: now - 50 * minute },
  { account: "a-erin", handle: "erin_the_third", online: false, seenAt: now - 26 * 60 * minute },
  { account: "a-oskar", handle: "oskar", online: false, seenAt: now - 4 * 24 * 60 * minute },
];
let devices = [
  { device: "d-alice", name: "Chrome on Linux", enrolledAt: now - 100 * minute, current: true, new: false },
  { device: "d-2", name: "Terminal on desk", enrolledAt: now - 3000 * minute, current: false, new: false },
];
let alerts: Alert[] = [];
let archive = { on: true, off: [] as string[], problem: "", try: "" };
let invites: RoomInvite[] = [];
let blocked: typeof accounts = [];
const messages = new Map<string, Message[]>();
const rooms = new Map<string, Room>();
let lastId = 0;

function message(room: string, from: string, at: number, text: string, more: Partial<Message> = {}): Message {
  const list = messages.get(room) ?? [];
  messages.set(room, list);
  const account = accounts.find((a) => a.handle === from)?.account ?? "";
  const seq = more.seq ?? list.length + 1;
  const said: Message = { room, seq, id: `m-${++lastId}`, from, account, device: `d-${from}`, deviceName: "Chrome", at, kind: "text", text, gap: "", state: "sent", problem: "", own: from === me.handle, until: seq, try: "", ask: "", blocked: false, ...more };
  list.push(said);
  return said;
}

function room(id: string, kind: "sealed" | "open", name: string, more: Partial<Room> = {}): Room {
  const list = messages.get(id) ?? [];
  const made: Room = { room: id, kind, name, direct: "", joined: true, members: 2, seq: list.length, serverSeq: list.length, unread: 0, last: list.at(-1), problem: "", topic: "", role: kind === "sealed" ? "owner" : "", adds: "admin", edits: "admin", stranger: undefined, request: "", waiting: false, gone: false, outside: false, read: 0, ...more };
  rooms.set(id, made);
  return made;
}

for (let i = 0; i < 300; i++) {
  message("r-lobby", ["bob", "carol.m", "alice", "dave"][i % 7 % 4] ?? "bob", now - (400 - i) * 47 * minute, `Line ${i + 1} of a long history, so that there is something to scroll through.`);
}
message("r-lobby", "dave", now - 70 * minute, "The boiler is fixed. Thanks to whoever left the biscuits 🍪");
message("r-bob", "", now - 27 * 60 * minute, "bob came in", { kind: "notice" });
message("r-bob", "bob", now - 26 * 60 * minute, "Did you get the keys from Marta?");
message("r-bob", "alice", now - 26 * 60 * minute + minute, "Yes! She left them with the neighbour.");
message("r-bob", "alice", now - 26 * 60 * minute + 2 * minute, "The red door, second floor. Ring twice, the bell is shy.");
message("r-bob", "bob", now - 42 * minute, "Perfect. I'll be there around seven, and I'm bringing the good bread.");
message("r-bob", "bob", now - 41 * minute, "Also, a thing I wrote down for later:\n\n  1. olive oil\n  2. candles\n  3. that cheese you like, if they have it");
message("r-bob", "alice", now - 12 * minute, "You are a treasure. Come hungry.");
message("r-bob", "", now - 11 * minute, "", { kind: "gap", gap: "not decryptable: it was changed on the way, or sealed with another key", try: "ask @bob to send it again", ask: "@bob, what you wrote on 21 November at 09:03 UTC cannot be read here. Please send it again." });
message("r-bob", "bob", now - 3 * minute, "שלום, and this line turns around \u202Eevil\u202C without turning its neighbours. مرحبا");
message("r-team", "carol.m", now - 25 * minute, "Minutes of Thursday are in. Could someone look over the budget line before it goes out?");
message("r-team", "erin_the_third", now - 9 * minute, "On it.");
room("r-lobby", "open", "Lobby", { members: 6 });
room("r-bob", "sealed", "@bob", { direct: "bob" });
room("r-team", "sealed", "Allotment committee", { members: 4, unread: 2 });
message("r-frank", "oskar", now - 5 * minute, "Hello, I am Oskar from the market. May I ask you something?");
room("r-frank", "sealed", "@oskar", { direct: "oskar", unread: 1, request: "oskar" });
room("r-notices", "open", "Notices", { joined: false, members: 3 });

function post(id: number, body: PacketBody): void {
  const packet = Packet.encode({ id, body });
  scope.postMessage(packet, [packet.buffer]);
}

function changed(...list: Message[]): void {
  post(0, { kind: "messagesChanged", value: { messages: list } });
}

function roomChanged(id: string): void {
  const made = rooms.get(id);
  const list = messages.get(id) ?? [];
  if (made === undefined) return;
  const next = { ...made, seq: list.length, serverSeq: list.length, last: list.at(-1) };
  rooms.set(id, next);
  post(0, { kind: "roomsChanged", value: { rooms: [next] } });
}

function setOnline(to: boolean): void {
  online = to;
  post(0, { kind: "connectionChanged", value: { online: to, problem: to ? "" : "the server does not answer", retryAt: to ? 0 : Date.now() + 8000 } });
}

// What takes a while takes until the test has seen it, where the test holds it up.
let held = Promise.resolve();
let go = (): void => {};
const strings = new BroadcastChannel("strings");
strings.onmessage = (event: MessageEvent<string>) => {
  go();
  if (event.data === "hold") held = new Promise((resolve) => (go = resolve));
  strings.postMessage("done");
};

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  await held;
}

const refuse = (message: string, hint: string): PacketBody => ({ kind: "refusal", value: { code: "refused", message, hint } });
const done: PacketBody = { kind: "done", value: {} };

// Words in a message make things happen: the tests' way of pulling strings.
async function say(roomId: string, text: string, id: number): Promise<void> {
  if (rooms.get(roomId)?.stranger?.wasVerified === true) {
    post(id, refuse("@bob is another account than the one that you have verified: its keys are others", "compare safety numbers"));
    return;
  }
  const said = message(roomId, "alice", Date.now(), text, { seq: 0, state: "pending" });
  post(id, { kind: "posted", value: { id: said.id } });
  changed(said);
  roomChanged(roomId);
  if (text.includes("/offline")) setOnline(false);
  if (text.includes("/stranger")) {
    strangers.add("a-bob");
    rooms.set(roomId, { ...(rooms.get(roomId) as Room), stranger: { account: "a-bob", handle: "bob", wasVerified: true } });
    changed(message(roomId, "", Date.now(), "@bob added you (not the @bob that you knew: other keys)", { kind: "notice" }));
    roomChanged(roomId);
  }
  // As many devices come as the number behind it says.
  for (let left = Number(/\/devices (\d+)/u.exec(text)?.[1] ?? 0); left > 0; left--) {
    const id = devices.length + alerts.length + 10;
    devices = [...devices, { device: `d-${id}`, name: `Firefox on a machine of somebody ${id}`, enrolledAt: Date.now(), current: false, new: true }];
    alerts = [...alerts, { id, kind: "device_added", device: `d-${id}`, deviceName: `Firefox on a machine of somebody ${id}`, at: Date.now(), revoked: false }];
    post(0, { kind: "alertsChanged", value: {} });
  }
  if (text.includes("/passphrase")) {
    alerts = [...alerts, { id: 1000, kind: "passphrase_replaced", device: "", deviceName: "", at: Date.now(), revoked: false }];
    post(0, { kind: "alertsChanged", value: {} });
  }
  if (text.includes("/die")) scope.postMessage("the script said so");
  if (text.includes("/answer")) {
    await pause(300);
    changed(message(roomId, "bob", Date.now(), "An answer, as asked."));
    roomChanged(roomId);
  }
  await pause(150);
  if (!online) return;
  Object.assign(said, text.includes("/fail") ? { state: "failed", problem: "you are not a member of this room" } : { state: "sent", seq: (messages.get(roomId) ?? []).length });
  changed(said);
  roomChanged(roomId);
}

const safety = "05321 98114 77203 51168 00947 31254 66019 20458 87731 40263 15587 93310";
const verified = new Map<string, number>();
const strangers = new Set<string>();

function contact(account: string): PacketBody {
  const handle = accounts.find((a) => a.account === account)?.handle ?? "";
  const changed = strangers.has(account);
  const code = { side: 29, path: "M4 4h7v1h-7zM4 5h1v5h-1zM10 5h1v5h-1zM4 10h7v1h-7zM18 4h7v7h-7zM4 18h7v7h-7zM13 13h3v3h-3z" };
  return { kind: "contact", value: { account, handle, number: safety, code, verifiedAt: verified.get(account) ?? 0, changed, wasVerified: changed } };
}

// look takes an account for whoever has its handle.
function look(account: string): PacketBody {
  strangers.delete(account);
  const bob = rooms.get("r-bob");
  if (bob !== undefined) rooms.set("r-bob", { ...bob, stranger: undefined });
  roomChanged("r-bob");
  return contact(account);
}

async function answer(id: number, body: CallBody): Promise<PacketBody | undefined> {
  switch (body.kind) {
    case "getState":
      return { kind: "state", value: { me: signedIn ? me : undefined, connection: { online: true, problem: "", retryAt: 0 } } };
    case "suggestPassphrase":
      return { kind: "passphrase", value: { words: "harbour velvet onion lantern quiet maple" } };
    case "judgePassphrase":
      return { kind: "judgement", value: { problem: body.value.passphrase.length < 12 ? "it needs 12 characters or more" : "" } };
    case "register":
    case "login":
      post(0, { kind: "progress", value: { step: "stretching the passphrase", expectMs: 800 } });
      await pause(600);
      if (body.kind === "register" && body.value.invite === "expired") return refuse("that invite has expired", "ask whoever sent it for a new one");
      if (body.value.passphrase.includes("vault")) {
        return refuse("the passphrase is right, but the vault that the server has does not open with it", "nothing is lost while another device is signed in: change the passphrase there, or let this one in by a code");
      }
      if (body.value.passphrase.includes("often")) return { kind: "refusal", value: { code: "unreachable", message: "too many tries in a short time", hint: "wait 6 s, then try again" } };
      if (body.value.handle === "taken") return refuse("the handle taken is taken", "choose another one");
      if (body.value.passphrase.includes("wrong")) return refuse("unknown handle or wrong passphrase", "look at both again");
      signedIn = true;
      return { kind: "me", value: me };
    case "changePassphrase":
      post(0, { kind: "progress", value: { step: "stretching the passphrase", expectMs: 800 } });
      await pause(600);
      if (body.value.passphrase.includes("damaged") && !body.value.repair) return refuse("the vault that the server shows does not open with this account's keys", "the server may be false");
      return online ? done : { kind: "refusal", value: { code: "unreachable", message: "no answer in time", hint: "the passphrase was not changed" } };
    case "forget":
      signedIn = false;
      return done;
    case "logout":
      if (!online) return { kind: "refusal", value: { code: "unreachable", message: "no answer in time", hint: "try again later" } };
      signedIn = false;
      return done;
    case "reconnect":
      setOnline(true);
      for (const [roomId, list] of messages) {
        for (const said of list.filter((m) => m.state === "pending")) {
          Object.assign(said, { state: "sent", seq: list.length });
          changed(said);
          roomChanged(roomId);
        }
      }
      return done;
    case "listAccounts":
      return { kind: "accounts", value: { accounts } };
    case "createInvite":
      return { kind: "invite", value: { code: "k7f3-9qmd-2xwz-h4tn", expiresAt: now + 7 * 24 * 60 * minute } };
    case "listDevices":
      return { kind: "devices", value: { devices } };
    case "getParting":
      return { kind: "parting", value: { unsent: [...messages.values()].flat().filter((m) => m.state === "pending").length } };
    case "listAlerts":
      return { kind: "alerts", value: { alerts } };
    case "dismissAlerts":
      alerts = alerts.filter((alert) => !body.value.ids.includes(alert.id));
      post(0, { kind: "alertsChanged", value: {} });
      return done;
    case "renameDevice":
      devices = devices.map((d) => (d.device === body.value.device ? { ...d, name: body.value.name } : d));
      return done;
    case "revokeDevice":
      if (!online) return { kind: "refusal", value: { code: "unreachable", message: "no answer in time", hint: "try again later" } };
      devices = devices.filter((d) => d.device !== body.value.device);
      alerts = alerts.filter((alert) => alert.device !== body.value.device);
      post(0, { kind: "alertsChanged", value: {} });
      return done;
    case "getArchive":
      return { kind: "archive", value: archive };
    case "setArchive": {
      const { room: roomId, on } = body.value;
      if (roomId === "") archive = { ...archive, on };
      else archive = { ...archive, off: [...archive.off.filter((id) => id !== roomId), ...(on ? [] : [roomId])] };
      return { kind: "archive", value: archive };
    }
    case "startLink":
      return { kind: "link", value: { code: "snug-link-aaaqeayeaudaocajbifqydiob4", drawing: { side: 29, path: "M4 4h7v1h-7zM4 5h1v5h-1zM10 5h1v5h-1zM4 10h7v1h-7zM18 4h7v7h-7zM4 18h7v7h-7zM13 13h3v3h-3z" } } };
    case "awaitLink":
      await pause(600);
      return { kind: "match", value: { digits: "304192", deviceName: "Firefox on a phone" } };
    case "joinLink":
      await pause(200);
      if (!/^snug-link-[a-z2-7]{26}$/u.test(body.value.code)) return refuse("that is no link code", "it begins with snug-link-");
      return { kind: "match", value: { digits: "304192", deviceName: "" } };
    case "confirmLink":
      await pause(300);
      devices = [...devices, { device: "d-3", name: "Firefox on a phone", enrolledAt: Date.now(), current: false, new: false }];
      return done;
    case "acceptLink":
      await pause(300);
      signedIn = true;
      return { kind: "me", value: me };
    case "cancelLink":
      return done;
    case "getContact":
      return contact(body.value.account);
    case "verifyContact":
      if (body.value.number.replace(/\D/g, "").length !== 60) return refuse("that is no safety number", "it has 60 digits");
      if (body.value.number.replace(/\D/g, "") !== safety.replaceAll(" ", "")) return refuse("the safety numbers differ: this is not the account that @bob has shown you", "compare again");
      verified.set(body.value.account, Date.now());
      return look(body.value.account);
    case "unverifyContact":
      verified.delete(body.value.account);
      return contact(body.value.account);
    case "acceptContact":
      return look(body.value.account);
    case "listRooms":
      return { kind: "rooms", value: { rooms: [...rooms.values()] } };
    case "openDirect":
      return { kind: "room", value: room(`r-${body.value.handle}`, "sealed", `@${body.value.handle}`, { direct: body.value.handle }) };
    case "createRoom":
      if (body.value.name === "Lobby") return refuse("the name Lobby is taken", "choose another one");
      return { kind: "room", value: room(`r-${body.value.name}`, body.value.open ? "open" : "sealed", body.value.name, { members: body.value.handles.length + 1 }) };
    case "joinRoom":
      rooms.set(body.value.room, { ...(rooms.get(body.value.room) as Room), joined: true });
      return done;
    case "leaveRoom":
      rooms.delete(body.value.room);
      return done;
    case "markRead":
      rooms.set(body.value.room, { ...(rooms.get(body.value.room) as Room), unread: 0 });
      roomChanged(body.value.room);
      return done;
    case "admitRoom": {
      const asked = rooms.get(body.value.room);
      if (asked === undefined) return done;
      rooms.set(body.value.room, { ...asked, request: "", gone: body.value.decline });
      roomChanged(body.value.room);
      return done;
    }
    case "createRoomInvite": {
      const { uses, hours, reader, origin } = body.value;
      const code = { side: 29, path: "M4 4h7v1h-7zM4 5h1v5h-1zM10 5h1v5h-1zM4 10h7v1h-7zM18 4h7v7h-7zM4 18h7v7h-7zM13 13h3v3h-3z" };
      const link = `${origin}/#snug-room-${"a".repeat(26)}-${"b".repeat(26)}`;
      const made: RoomInvite = { invite: `i-${invites.length}`, link, code, maker: "alice", role: reader ? "reader" : "member", expiresAt: now + hours * 60 * minute, uses, used: 0, revoked: false };
      invites = [...invites, made];
      return { kind: "roomInvites", value: { invites: [made] } };
    }
    case "listRoomInvites":
      return { kind: "roomInvites", value: { invites } };
    case "revokeRoomInvite":
      invites = invites.map((invite) => (invite.invite === body.value.invite ? { ...invite, revoked: true } : invite));
      return done;
    case "joinByInvite":
      if (body.value.code.endsWith("x")) return refuse("that is no invite to a room", "copy all of it");
      return { kind: "room", value: room("r-garden", "sealed", "room aaaaaa", { joined: false, members: 0, waiting: true, role: "" }) };
    case "blockAccount":
      blocked = body.value.unblock ? [] : accounts.filter((a) => a.handle === body.value.handle);
      for (const asked of [...rooms.values()].filter((r) => r.request === body.value.handle || r.direct === body.value.handle)) {
        rooms.set(asked.room, { ...asked, gone: !body.value.unblock });
        roomChanged(asked.room);
      }
      return done;
    case "listBlocked":
      return { kind: "accounts", value: { accounts: blocked } };
    case "listMembers":
      return { kind: "members", value: { members: accounts.slice(0, 4).map((a, i) => ({ account: a.account, handle: a.handle, role: i === 0 ? "owner" : "member", devices: 1 + (i % 2), verified: verified.has(a.account), stranger: strangers.has(a.account) })) } };
    case "changeRoom":
      rooms.set(body.value.room, { ...(rooms.get(body.value.room) as Room), ...body.value });
      roomChanged(body.value.room);
      return done;
    case "setRole":
      if (body.value.role === "owner") return refuse("only an owner makes owners and admins", "ask the room's owner");
      return done;
    case "addMembers":
    case "removeMembers":
      return done;
    case "post":
      void say(body.value.room, body.value.text, id);
      return undefined;
    case "retry":
    case "discard": {
      const list = messages.get(body.value.room) ?? [];
      const said = list.find((m) => m.id === body.value.id);
      if (said !== undefined && body.kind === "retry") {
        Object.assign(said, { state: "sent", seq: list.length, problem: "" });
        changed(said);
      }
      return done;
    }
    case "listMessages": {
      const list = (messages.get(body.value.room) ?? []).filter((m) => body.value.before === 0 || (m.seq !== 0 && m.seq < body.value.before));
      await pause(30);
      return { kind: "messages", value: { messages: list.slice(-body.value.limit) } };
    }
  }
}

scope.onmessage = async (event: MessageEvent<Uint8Array>) => {
  const call = Call.decode(event.data);
  if (call.body === undefined) return;
  const body = await answer(call.id, call.body);
  if (body !== undefined) post(call.id, body);
};
