// What nobody sees at first sight, as one script of its own (docs/decisions/0053-first-load.md). Nothing else imports these.

export { default as CreateRoom } from "./CreateRoom.svelte";
export { default as InviteDialog } from "./InviteDialog.svelte";
export { default as JoinLink } from "./JoinLink.svelte";
export { default as JoinRoom } from "./JoinRoom.svelte";
export { default as RoomDetails } from "./RoomDetails.svelte";
export { default as SafetyNumber } from "./SafetyNumber.svelte";
export { default as You } from "./You.svelte";
