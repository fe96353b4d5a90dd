import { expect, test } from "vitest";
import type { Room } from "../core/protocol";
import { audienceOf, promised } from "./room.svelte";

const sealed: Room = { ...promised("bob"), direct: "", waiting: false, joined: true };

for (const { name, room, want } of [
  { name: "an open room", room: { ...sealed, kind: "open", members: 1 }, want: "Open: everybody on this server can read it, and so can the server" },
  { name: "a room of two", room: { ...sealed, direct: "bob" }, want: "Sealed: only you and bob can read it" },
  { name: "a room of two that is not there yet", room: promised("bob"), want: "Sealed: only you and bob can read it" },
  { name: "a room that nobody else is in", room: { ...sealed, members: 1 }, want: "Sealed: only you can read it so far" },
  { name: "a room of three", room: { ...sealed, members: 3 }, want: "Sealed: only its 3 members can read it" },
  { name: "a room that one has left", room: { ...sealed, joined: false, members: 0 }, want: "Sealed: only its members can read it" },
] satisfies { name: string; room: Room; want: string }[]) {
  test(`says who can read ${name}`, () => expect(audienceOf(room)).toBe(want));
}
