// The rooms of this account and the open ones of the server.

import type { Core } from "../core/core";
import { explain } from "../core/refusal";
import type { Member, Room, RoomInvite } from "../core/protocol";
import { oneLine } from "./text";

// What a sealed room's members agree upon beside who they are.
export type Settings = Pick<Room, "name" | "topic" | "adds" | "edits">;

const roles = ["owner", "admin", "member", "reader"];

// rolesFor gives the roles that somebody may give to a member.
export function rolesFor(own: string, member: string): string[] {
  if (own === "owner") return roles;
  return own === "admin" && roles.indexOf(member) >= 2 ? ["member", "reader"] : [member];
}

// atLeast tells whether a role is the least one that something takes, or more.
export function atLeast(role: string, least: string): boolean {
  return roles.includes(role) && roles.indexOf(role) <= roles.indexOf(least);
}

export class Rooms {
  list = $state.raw<Room[]>([]);
  loaded = $state(false);
  problem = $state("");
  sorted: Room[] = $derived(this.list.filter((room) => !room.outside).sort(byActivity));
  // Rooms of this account that another device has to let this one into.
  outside: Room[] = $derived(this.list.filter((room) => room.outside));
  unread: number = $derived(this.list.reduce((sum, room) => sum + (room.request === "" ? room.unread : 0), 0));

  #core: Core;
  // The 1:1 rooms that are being made, by handle.
  #making = new Map<string, Promise<Room>>();

  constructor(core: Core) {
    this.#core = core;
  }

  async load(): Promise<void> {
    try {
      this.list = (await this.#core.call("listRooms", {})).rooms;
      this.problem = "";
      this.loaded = true;
    } catch (thrown) {
      this.problem = explain(thrown).message;
    }
  }

  get(id: string): Room | undefined {
    return this.list.find((room) => room.room === id);
  }

  changed(rooms: readonly Room[]): void {
    const byId = new Map(this.list.map((room) => [room.room, room]));
    for (const room of rooms) {
      if (room.gone) byId.delete(room.room);
      else byId.set(room.room, room);
    }
    this.list = [...byId.values()];
  }

  // directWith gives the 1:1 room with somebody, if it is there; rather one that they can be reached in.
  directWith(handle: string): Room | undefined {
    const known = this.list.filter((room) => room.direct === handle && !room.outside);
    return known.find((room) => room.joined) ?? known[0];
  }

  // direct has the 1:1 room with somebody made, and gives it when it is there, which may take until they are.
  direct(handle: string): Promise<Room> {
    const asked = this.#making.get(handle) ?? this.#core.call("openDirect", { handle }).finally(() => this.#making.delete(handle));
    this.#making.set(handle, asked);
    return asked;
  }

  async create(name: string, open: boolean, handles: readonly string[]): Promise<Room> {
    const room = await this.#core.call("createRoom", { name, open, handles: [...handles] });
    this.changed([room]);
    return room;
  }

  async join(room: string): Promise<void> {
    await this.#core.call("joinRoom", { room });
    await this.load();
  }

  async leave(room: string): Promise<void> {
    await this.#core.call("leaveRoom", { room });
    await this.load();
  }

  async members(room: string): Promise<Member[]> {
    return (await this.#core.call("listMembers", { room })).members;
  }

  async add(room: string, handles: readonly string[]): Promise<void> {
    await this.#core.call("addMembers", { room, handles: [...handles] });
  }

  async remove(room: string, handle: string): Promise<void> {
    await this.#core.call("removeMembers", { room, handles: [handle] });
  }

  async setRole(room: string, handle: string, role: string): Promise<void> {
    await this.#core.call("setRole", { room, handle, role });
  }

  async change(room: string, settings: Settings): Promise<void> {
    await this.#core.call("changeRoom", { room, ...settings });
  }

  async admit(room: string, decline: boolean): Promise<void> {
    await this.#core.call("admitRoom", { room, decline });
  }

  async invite(room: string, uses: number, hours: number, reader: boolean, origin: string): Promise<RoomInvite | undefined> {
    return (await this.#core.call("createRoomInvite", { room, uses, hours, reader, origin })).invites[0];
  }

  async invites(room: string, origin: string): Promise<RoomInvite[]> {
    return (await this.#core.call("listRoomInvites", { room, origin })).invites;
  }

  async uninvite(room: string, invite: string): Promise<void> {
    await this.#core.call("revokeRoomInvite", { room, invite });
  }

  async markRead(room: string, seq: number): Promise<void> {
    try {
      await this.#core.call("markRead", { room, seq });
    } catch {
      // It stays unread, which is what the list goes on to show.
    }
  }
}

// promised stands for the 1:1 room with somebody that is not there yet.
export function promised(handle: string): Room {
  return { room: `@${handle}`, kind: "sealed", name: `@${handle}`, direct: handle, joined: false, members: 2, seq: 0, serverSeq: 0, unread: 0, last: undefined, problem: "", topic: "", role: "", adds: "", edits: "", stranger: undefined, request: "", waiting: true, gone: false, outside: false, read: 0 };
}

// keeps tells whether what is said in a room waits for a 1:1 room that is not there yet.
export function keeps(room: Room): boolean {
  return !room.joined && room.waiting && room.direct !== "";
}

// titleOf is a room's name for people.
export function titleOf(room: Room): string {
  return room.direct !== "" ? room.direct : oneLine(room.name) || "Unnamed room";
}

// outsideOf says what there is of rooms that this device is not in yet, and what lets it in.
export function outsideOf(rooms: readonly Room[]): string {
  const people = rooms.filter((room) => room.direct !== "").map((room) => room.direct);
  const count = rooms.length === 1 ? "One of your rooms has" : `${rooms.length} of your rooms have`;
  const whose = people.length > 0 ? ` (with ${people.join(", ")}${people.length < rooms.length ? ", and more" : ""})` : "";
  return `${count} not let this browser in yet${whose}. Another device of yours, or a member’s, does so by itself as soon as it is online.`;
}

// audienceOf says who can read a room.
export function audienceOf(room: Room): string {
  if (room.kind === "open") return "Open: everybody on this server can read it, and so can the server";
  if (room.direct !== "") return `Sealed: only you and ${room.direct} can read it`;
  if (!room.joined) return "Sealed: only its members can read it";
  if (room.members <= 1) return "Sealed: only you can read it so far";
  return `Sealed: only its ${room.members} members can read it`;
}

function byActivity(a: Room, b: Room): number {
  if (a.joined !== b.joined) return a.joined ? -1 : 1;
  const difference = (b.last?.at ?? 0) - (a.last?.at ?? 0);
  return difference !== 0 ? difference : titleOf(a).localeCompare(titleOf(b));
}
