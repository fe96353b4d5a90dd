// The page's handle on the core, which lives in a worker with the keys. Calls go out, answers and events come back; when
// the worker dies every call is rejected, those under way and those to come.

import { Call, Packet, type CallBody, type PacketBody } from "./protocol";
import { CallError } from "./refusal";

// What each call is answered with.
interface Answers {
  getState: "state";
  register: "me";
  login: "me";
  logout: "done";
  suggestPassphrase: "passphrase";
  judgePassphrase: "judgement";
  changePassphrase: "done";
  forget: "done";
  reconnect: "done";
  listAccounts: "accounts";
  createInvite: "invite";
  listDevices: "devices";
  getParting: "parting";
  listAlerts: "alerts";
  dismissAlerts: "done";
  getArchive: "archive";
  setArchive: "archive";
  startLink: "link";
  awaitLink: "match";
  confirmLink: "done";
  joinLink: "match";
  acceptLink: "me";
  cancelLink: "done";
  getContact: "contact";
  verifyContact: "contact";
  unverifyContact: "contact";
  acceptContact: "contact";
  blockAccount: "done";
  listBlocked: "accounts";
  renameDevice: "done";
  revokeDevice: "done";
  listRooms: "rooms";
  openDirect: "room";
  postDirect: "room";
  createRoom: "room";
  joinRoom: "done";
  leaveRoom: "done";
  addMembers: "done";
  removeMembers: "done";
  setRole: "done";
  changeRoom: "done";
  admitRoom: "done";
  createRoomInvite: "roomInvites";
  listRoomInvites: "roomInvites";
  revokeRoomInvite: "done";
  joinByInvite: "room";
  listMembers: "members";
  markRead: "done";
  post: "posted";
  retry: "done";
  discard: "done";
  listMessages: "messages";
}

type ValueOf<Body extends { kind: string; value: unknown }, Kind> = Extract<Body, { kind: Kind }>["value"];
export type CallKind = keyof Answers;
export type Argument<K extends CallKind> = ValueOf<CallBody, K>;
export type Answer<K extends CallKind> = ValueOf<PacketBody, Answers[K]>;
export type CoreEvent = Extract<
  PacketBody,
  { kind: "progress" | "connectionChanged" | "roomsChanged" | "messagesChanged" | "accountsChanged" | "passphraseChanged" | "archiveChanged" | "alertsChanged" | "signedOut" | "resync" }
>;

// Wire is the part of a Worker that a core needs.
export interface Wire {
  postMessage(message: Uint8Array<ArrayBuffer>, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<unknown>) => unknown) | null;
  onerror: ((event: ErrorEvent) => unknown) | null;
  terminate(): void;
}

interface Waiting {
  settle(body: PacketBody | undefined): void;
  reject(cause: CallError): void;
}

export class Core {
  // Told of every event, in order.
  onevent: (event: CoreEvent) => void = () => {};
  // Told once, when the worker has died.
  ondeath: (cause: string) => void = () => {};

  #wire: Wire;
  #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #dead: CallError | undefined;

  constructor(wire: Wire) {
    this.#wire = wire;
    wire.onmessage = (event) => this.#receive(event.data);
    wire.onerror = (event) => this.#die(event.message === "" || event.message === undefined ? "it could not be loaded" : event.message);
  }

  call<K extends CallKind>(kind: K, value: Argument<K>): Promise<Answer<K>> {
    if (this.#dead !== undefined) return Promise.reject(this.#dead);
    const id = ++this.#lastId;
    return new Promise<Answer<K>>((resolve, reject: (cause: CallError) => void) => {
      const settle = (body: PacketBody | undefined): void => {
        if (body?.kind === "refusal") reject(new CallError(body.value.code, body.value.message, body.value.hint));
        else if (body !== undefined && body.kind === answers[kind]) (resolve as (answer: unknown) => void)(body.value);
        else reject(new CallError("failed", "the core gave an answer to something else", "reload the page"));
      };
      this.#waiting.set(id, { settle, reject });
      const packet = Call.encode({ id, body: { kind, value } as CallBody });
      this.#wire.postMessage(packet, [packet.buffer]);
    });
  }

  // close ends the worker; calls under way are rejected.
  close(): void {
    this.ondeath = () => {};
    this.#die("the page is closing");
  }

  #receive(data: unknown): void {
    if (typeof data === "string") {
      this.#die(data);
      return;
    }
    if (!(data instanceof Uint8Array)) return;
    let packet: Packet;
    try {
      packet = Packet.decode(data);
    } catch (thrown) {
      this.#die(String(thrown));
      return;
    }
    if (packet.id !== 0) {
      const waiting = this.#waiting.get(packet.id);
      this.#waiting.delete(packet.id);
      waiting?.settle(packet.body);
    } else if (packet.body !== undefined && isEvent(packet.body)) {
      this.onevent(packet.body);
    }
  }

  #die(cause: string): void {
    if (this.#dead !== undefined) return;
    this.#dead = new CallError("failed", `the part of this page that holds your keys has stopped: ${cause}`, "reload the page");
    this.#wire.terminate();
    for (const waiting of this.#waiting.values()) waiting.reject(this.#dead);
    this.#waiting.clear();
    this.ondeath(cause);
  }
}

function isEvent(body: PacketBody): body is CoreEvent {
  return events.has(body.kind);
}

const events: ReadonlySet<string> = new Set<CoreEvent["kind"]>([
  "progress",
  "connectionChanged",
  "roomsChanged",
  "messagesChanged",
  "accountsChanged",
  "passphraseChanged",
  "archiveChanged",
  "alertsChanged",
  "signedOut",
  "resync",
]);

const answers: Answers = {
  getState: "state",
  register: "me",
  login: "me",
  logout: "done",
  suggestPassphrase: "passphrase",
  judgePassphrase: "judgement",
  changePassphrase: "done",
  forget: "done",
  reconnect: "done",
  listAccounts: "accounts",
  createInvite: "invite",
  listDevices: "devices",
  getParting: "parting",
  listAlerts: "alerts",
  dismissAlerts: "done",
  getArchive: "archive",
  setArchive: "archive",
  startLink: "link",
  awaitLink: "match",
  confirmLink: "done",
  joinLink: "match",
  acceptLink: "me",
  cancelLink: "done",
  getContact: "contact",
  verifyContact: "contact",
  unverifyContact: "contact",
  acceptContact: "contact",
  blockAccount: "done",
  listBlocked: "accounts",
  renameDevice: "done",
  revokeDevice: "done",
  listRooms: "rooms",
  openDirect: "room",
  postDirect: "room",
  createRoom: "room",
  joinRoom: "done",
  leaveRoom: "done",
  addMembers: "done",
  removeMembers: "done",
  setRole: "done",
  changeRoom: "done",
  admitRoom: "done",
  createRoomInvite: "roomInvites",
  listRoomInvites: "roomInvites",
  revokeRoomInvite: "done",
  joinByInvite: "room",
  listMembers: "members",
  markRead: "done",
  post: "posted",
  retry: "done",
  discard: "done",
  listMessages: "messages",
};
