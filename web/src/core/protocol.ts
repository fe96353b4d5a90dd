// Code generated from the bridge's .proto file by proto/gen. DO NOT EDIT.

import { codec, type Codec } from "./codec";

export type RefusalCode = "unspecified" | "refused" | "not_found" | "unreachable" | "usage" | "failed";
const namesRefusalCode = ["unspecified", "refused", "not_found", "unreachable", "usage", "failed"] as const;

export type AlertKind = "unspecified" | "device_added" | "device_revoked" | "passphrase_replaced";
const namesAlertKind = ["unspecified", "device_added", "device_revoked", "passphrase_replaced"] as const;

export type RoomKind = "unspecified" | "sealed" | "open";
const namesRoomKind = ["unspecified", "sealed", "open"] as const;

export type MessageKind = "unspecified" | "text" | "notice" | "gap";
const namesMessageKind = ["unspecified", "text", "notice", "gap"] as const;

export type MessageState = "unspecified" | "pending" | "sent" | "failed";
const namesMessageState = ["unspecified", "pending", "sent", "failed"] as const;

export interface Call {
  // Chosen by the page, not 0, unique among its unanswered calls.
  id: number;
  body: CallBody | undefined;
}

export type CallBody =
  | { kind: "getState"; value: GetState }
  | { kind: "register"; value: Register }
  | { kind: "login"; value: Login }
  | { kind: "logout"; value: Logout }
  | { kind: "suggestPassphrase"; value: SuggestPassphrase }
  | { kind: "judgePassphrase"; value: JudgePassphrase }
  | { kind: "changePassphrase"; value: ChangePassphrase }
  | { kind: "renameDevice"; value: RenameDevice }
  | { kind: "revokeDevice"; value: RevokeDevice }
  | { kind: "forget"; value: Forget }
  | { kind: "getParting"; value: GetParting }
  | { kind: "reconnect"; value: Reconnect }
  | { kind: "listAccounts"; value: ListAccounts }
  | { kind: "createInvite"; value: CreateInvite }
  | { kind: "listDevices"; value: ListDevices }
  | { kind: "listAlerts"; value: ListAlerts }
  | { kind: "dismissAlerts"; value: DismissAlerts }
  | { kind: "getArchive"; value: GetArchive }
  | { kind: "setArchive"; value: SetArchive }
  | { kind: "startLink"; value: StartLink }
  | { kind: "awaitLink"; value: AwaitLink }
  | { kind: "confirmLink"; value: ConfirmLink }
  | { kind: "joinLink"; value: JoinLink }
  | { kind: "acceptLink"; value: AcceptLink }
  | { kind: "cancelLink"; value: CancelLink }
  | { kind: "getContact"; value: GetContact }
  | { kind: "verifyContact"; value: VerifyContact }
  | { kind: "unverifyContact"; value: UnverifyContact }
  | { kind: "acceptContact"; value: AcceptContact }
  | { kind: "blockAccount"; value: BlockAccount }
  | { kind: "listBlocked"; value: ListBlocked }
  | { kind: "listRooms"; value: ListRooms }
  | { kind: "openDirect"; value: OpenDirect }
  | { kind: "createRoom"; value: CreateRoom }
  | { kind: "joinRoom"; value: JoinRoom }
  | { kind: "leaveRoom"; value: LeaveRoom }
  | { kind: "addMembers"; value: AddMembers }
  | { kind: "removeMembers"; value: RemoveMembers }
  | { kind: "listMembers"; value: ListMembers }
  | { kind: "markRead"; value: MarkRead }
  | { kind: "setRole"; value: SetRole }
  | { kind: "changeRoom"; value: ChangeRoom }
  | { kind: "admitRoom"; value: AdmitRoom }
  | { kind: "createRoomInvite"; value: CreateRoomInvite }
  | { kind: "listRoomInvites"; value: ListRoomInvites }
  | { kind: "revokeRoomInvite"; value: RevokeRoomInvite }
  | { kind: "joinByInvite"; value: JoinByInvite }
  | { kind: "postDirect"; value: PostDirect }
  | { kind: "post"; value: Post }
  | { kind: "retry"; value: Retry }
  | { kind: "discard"; value: Discard }
  | { kind: "listMessages"; value: ListMessages };

export const Call: Codec<Call> = codec<Call>([
  { number: 1, name: "id", kind: "number" },
  { number: 2, name: "getState", kind: "message", of: () => GetState, oneof: "body" },
  { number: 3, name: "register", kind: "message", of: () => Register, oneof: "body" },
  { number: 4, name: "login", kind: "message", of: () => Login, oneof: "body" },
  { number: 5, name: "logout", kind: "message", of: () => Logout, oneof: "body" },
  { number: 6, name: "suggestPassphrase", kind: "message", of: () => SuggestPassphrase, oneof: "body" },
  { number: 11, name: "judgePassphrase", kind: "message", of: () => JudgePassphrase, oneof: "body" },
  { number: 12, name: "changePassphrase", kind: "message", of: () => ChangePassphrase, oneof: "body" },
  { number: 13, name: "renameDevice", kind: "message", of: () => RenameDevice, oneof: "body" },
  { number: 14, name: "revokeDevice", kind: "message", of: () => RevokeDevice, oneof: "body" },
  { number: 15, name: "forget", kind: "message", of: () => Forget, oneof: "body" },
  { number: 18, name: "getParting", kind: "message", of: () => GetParting, oneof: "body" },
  { number: 7, name: "reconnect", kind: "message", of: () => Reconnect, oneof: "body" },
  { number: 8, name: "listAccounts", kind: "message", of: () => ListAccounts, oneof: "body" },
  { number: 9, name: "createInvite", kind: "message", of: () => CreateInvite, oneof: "body" },
  { number: 10, name: "listDevices", kind: "message", of: () => ListDevices, oneof: "body" },
  { number: 16, name: "listAlerts", kind: "message", of: () => ListAlerts, oneof: "body" },
  { number: 17, name: "dismissAlerts", kind: "message", of: () => DismissAlerts, oneof: "body" },
  { number: 70, name: "getArchive", kind: "message", of: () => GetArchive, oneof: "body" },
  { number: 71, name: "setArchive", kind: "message", of: () => SetArchive, oneof: "body" },
  { number: 60, name: "startLink", kind: "message", of: () => StartLink, oneof: "body" },
  { number: 61, name: "awaitLink", kind: "message", of: () => AwaitLink, oneof: "body" },
  { number: 62, name: "confirmLink", kind: "message", of: () => ConfirmLink, oneof: "body" },
  { number: 63, name: "joinLink", kind: "message", of: () => JoinLink, oneof: "body" },
  { number: 64, name: "acceptLink", kind: "message", of: () => AcceptLink, oneof: "body" },
  { number: 65, name: "cancelLink", kind: "message", of: () => CancelLink, oneof: "body" },
  { number: 50, name: "getContact", kind: "message", of: () => GetContact, oneof: "body" },
  { number: 51, name: "verifyContact", kind: "message", of: () => VerifyContact, oneof: "body" },
  { number: 52, name: "unverifyContact", kind: "message", of: () => UnverifyContact, oneof: "body" },
  { number: 53, name: "acceptContact", kind: "message", of: () => AcceptContact, oneof: "body" },
  { number: 54, name: "blockAccount", kind: "message", of: () => BlockAccount, oneof: "body" },
  { number: 55, name: "listBlocked", kind: "message", of: () => ListBlocked, oneof: "body" },
  { number: 20, name: "listRooms", kind: "message", of: () => ListRooms, oneof: "body" },
  { number: 21, name: "openDirect", kind: "message", of: () => OpenDirect, oneof: "body" },
  { number: 22, name: "createRoom", kind: "message", of: () => CreateRoom, oneof: "body" },
  { number: 23, name: "joinRoom", kind: "message", of: () => JoinRoom, oneof: "body" },
  { number: 24, name: "leaveRoom", kind: "message", of: () => LeaveRoom, oneof: "body" },
  { number: 25, name: "addMembers", kind: "message", of: () => AddMembers, oneof: "body" },
  { number: 26, name: "removeMembers", kind: "message", of: () => RemoveMembers, oneof: "body" },
  { number: 27, name: "listMembers", kind: "message", of: () => ListMembers, oneof: "body" },
  { number: 28, name: "markRead", kind: "message", of: () => MarkRead, oneof: "body" },
  { number: 29, name: "setRole", kind: "message", of: () => SetRole, oneof: "body" },
  { number: 30, name: "changeRoom", kind: "message", of: () => ChangeRoom, oneof: "body" },
  { number: 31, name: "admitRoom", kind: "message", of: () => AdmitRoom, oneof: "body" },
  { number: 32, name: "createRoomInvite", kind: "message", of: () => CreateRoomInvite, oneof: "body" },
  { number: 33, name: "listRoomInvites", kind: "message", of: () => ListRoomInvites, oneof: "body" },
  { number: 34, name: "revokeRoomInvite", kind: "message", of: () => RevokeRoomInvite, oneof: "body" },
  { number: 35, name: "joinByInvite", kind: "message", of: () => JoinByInvite, oneof: "body" },
  { number: 36, name: "postDirect", kind: "message", of: () => PostDirect, oneof: "body" },
  { number: 40, name: "post", kind: "message", of: () => Post, oneof: "body" },
  { number: 41, name: "retry", kind: "message", of: () => Retry, oneof: "body" },
  { number: 42, name: "discard", kind: "message", of: () => Discard, oneof: "body" },
  { number: 43, name: "listMessages", kind: "message", of: () => ListMessages, oneof: "body" },
]);

export interface Packet {
  // The call's id; 0 for an event.
  id: number;
  body: PacketBody | undefined;
}

export type PacketBody =
  | { kind: "refusal"; value: Refusal }
  | { kind: "done"; value: Done }
  | { kind: "state"; value: State }
  | { kind: "me"; value: Me }
  | { kind: "passphrase"; value: Passphrase }
  | { kind: "accounts"; value: Accounts }
  | { kind: "invite"; value: Invite }
  | { kind: "devices"; value: Devices }
  | { kind: "alerts"; value: Alerts }
  | { kind: "parting"; value: Parting }
  | { kind: "judgement"; value: Judgement }
  | { kind: "archive"; value: Archive }
  | { kind: "contact"; value: Contact }
  | { kind: "link"; value: Link }
  | { kind: "match"; value: Match }
  | { kind: "rooms"; value: Rooms }
  | { kind: "room"; value: Room }
  | { kind: "members"; value: Members }
  | { kind: "roomInvites"; value: RoomInvites }
  | { kind: "messages"; value: Messages }
  | { kind: "posted"; value: Posted }
  | { kind: "progress"; value: Progress }
  | { kind: "connectionChanged"; value: Connection }
  | { kind: "roomsChanged"; value: Rooms }
  | { kind: "messagesChanged"; value: Messages }
  | { kind: "accountsChanged"; value: AccountsChanged }
  | { kind: "signedOut"; value: SignedOut }
  | { kind: "resync"; value: Resync }
  | { kind: "passphraseChanged"; value: PassphraseChanged }
  | { kind: "archiveChanged"; value: ArchiveChanged }
  | { kind: "alertsChanged"; value: AlertsChanged };

export const Packet: Codec<Packet> = codec<Packet>([
  { number: 1, name: "id", kind: "number" },
  { number: 2, name: "refusal", kind: "message", of: () => Refusal, oneof: "body" },
  { number: 3, name: "done", kind: "message", of: () => Done, oneof: "body" },
  { number: 4, name: "state", kind: "message", of: () => State, oneof: "body" },
  { number: 5, name: "me", kind: "message", of: () => Me, oneof: "body" },
  { number: 6, name: "passphrase", kind: "message", of: () => Passphrase, oneof: "body" },
  { number: 7, name: "accounts", kind: "message", of: () => Accounts, oneof: "body" },
  { number: 8, name: "invite", kind: "message", of: () => Invite, oneof: "body" },
  { number: 9, name: "devices", kind: "message", of: () => Devices, oneof: "body" },
  { number: 11, name: "alerts", kind: "message", of: () => Alerts, oneof: "body" },
  { number: 12, name: "parting", kind: "message", of: () => Parting, oneof: "body" },
  { number: 10, name: "judgement", kind: "message", of: () => Judgement, oneof: "body" },
  { number: 70, name: "archive", kind: "message", of: () => Archive, oneof: "body" },
  { number: 50, name: "contact", kind: "message", of: () => Contact, oneof: "body" },
  { number: 51, name: "link", kind: "message", of: () => Link, oneof: "body" },
  { number: 52, name: "match", kind: "message", of: () => Match, oneof: "body" },
  { number: 20, name: "rooms", kind: "message", of: () => Rooms, oneof: "body" },
  { number: 21, name: "room", kind: "message", of: () => Room, oneof: "body" },
  { number: 22, name: "members", kind: "message", of: () => Members, oneof: "body" },
  { number: 23, name: "roomInvites", kind: "message", of: () => RoomInvites, oneof: "body" },
  { number: 40, name: "messages", kind: "message", of: () => Messages, oneof: "body" },
  { number: 41, name: "posted", kind: "message", of: () => Posted, oneof: "body" },
  { number: 60, name: "progress", kind: "message", of: () => Progress, oneof: "body" },
  { number: 61, name: "connectionChanged", kind: "message", of: () => Connection, oneof: "body" },
  { number: 62, name: "roomsChanged", kind: "message", of: () => Rooms, oneof: "body" },
  { number: 63, name: "messagesChanged", kind: "message", of: () => Messages, oneof: "body" },
  { number: 64, name: "accountsChanged", kind: "message", of: () => AccountsChanged, oneof: "body" },
  { number: 65, name: "signedOut", kind: "message", of: () => SignedOut, oneof: "body" },
  { number: 66, name: "resync", kind: "message", of: () => Resync, oneof: "body" },
  { number: 67, name: "passphraseChanged", kind: "message", of: () => PassphraseChanged, oneof: "body" },
  { number: 71, name: "archiveChanged", kind: "message", of: () => ArchiveChanged, oneof: "body" },
  { number: 72, name: "alertsChanged", kind: "message", of: () => AlertsChanged, oneof: "body" },
]);

export type Resync = Record<string, never>;

export const Resync: Codec<Resync> = codec<Resync>([]);

// Done answers a call that has nothing more to say than that it was carried out.
export type Done = Record<string, never>;

export const Done: Codec<Done> = codec<Done>([]);

// Refusal answers a call that was not carried out.
export interface Refusal {
  code: RefusalCode;
  // What is wrong, for a person.
  message: string;
  // What to do about it; may be empty.
  hint: string;
}

export const Refusal: Codec<Refusal> = codec<Refusal>([
  { number: 1, name: "code", kind: "enum", names: namesRefusalCode },
  { number: 2, name: "message", kind: "string" },
  { number: 3, name: "hint", kind: "string" },
]);

// GetState asks what the page shows first. Answered with State; needs no network.
export type GetState = Record<string, never>;

export const GetState: Codec<GetState> = codec<GetState>([]);

export interface State {
  // Absent where nobody is signed in.
  me: Me | undefined;
  connection: Connection | undefined;
}

export const State: Codec<State> = codec<State>([
  { number: 1, name: "me", kind: "message", of: () => Me },
  { number: 2, name: "connection", kind: "message", of: () => Connection },
]);

export interface Me {
  account: string;
  handle: string;
  device: string;
  deviceName: string;
  owner: boolean;
}

export const Me: Codec<Me> = codec<Me>([
  { number: 1, name: "account", kind: "string" },
  { number: 2, name: "handle", kind: "string" },
  { number: 3, name: "device", kind: "string" },
  { number: 4, name: "deviceName", kind: "string" },
  { number: 5, name: "owner", kind: "boolean" },
]);

export interface Connection {
  online: boolean;
  // Why not online; empty while the first attempt is under way.
  problem: string;
  // When the next attempt begins; 0 when it is under way.
  retryAt: number;
}

export const Connection: Codec<Connection> = codec<Connection>([
  { number: 1, name: "online", kind: "boolean" },
  { number: 2, name: "problem", kind: "string" },
  { number: 3, name: "retryAt", kind: "number" },
]);

// Register makes an account with this device. Progress events come while it runs.
export interface Register {
  handle: string;
  passphrase: string;
  invite: string;
  deviceName: string;
}

export const Register: Codec<Register> = codec<Register>([
  { number: 1, name: "handle", kind: "string" },
  { number: 2, name: "passphrase", kind: "string" },
  { number: 3, name: "invite", kind: "string" },
  { number: 4, name: "deviceName", kind: "string" },
]);

// Login enrols this device in an account that exists. Progress events come while it runs.
export interface Login {
  handle: string;
  passphrase: string;
  deviceName: string;
}

export const Login: Codec<Login> = codec<Login>([
  { number: 1, name: "handle", kind: "string" },
  { number: 2, name: "passphrase", kind: "string" },
  { number: 3, name: "deviceName", kind: "string" },
]);

export interface Progress {
  step: string;
  // About how long the step takes; 0 where nobody can tell.
  expectMs: number;
}

export const Progress: Codec<Progress> = codec<Progress>([
  { number: 1, name: "step", kind: "string" },
  { number: 2, name: "expectMs", kind: "number" },
]);

// Logout revokes this device and forgets everything that it holds. Answered with Done.
export type Logout = Record<string, never>;

export const Logout: Codec<Logout> = codec<Logout>([]);

// GetParting asks what signing out on this device takes away. Answered with Parting.
export type GetParting = Record<string, never>;

export const GetParting: Codec<GetParting> = codec<GetParting>([]);

export interface Parting {
  // The messages that were written here and that the server has not acknowledged.
  unsent: number;
}

export const Parting: Codec<Parting> = codec<Parting>([
  { number: 1, name: "unsent", kind: "number" },
]);

// Forget forgets everything that this device holds, without the server: the device stays enrolled. Answered with Done.
export type Forget = Record<string, never>;

export const Forget: Codec<Forget> = codec<Forget>([]);

export interface SignedOut {
  reason: string;
}

export const SignedOut: Codec<SignedOut> = codec<SignedOut>([
  { number: 1, name: "reason", kind: "string" },
]);

// SuggestPassphrase asks for a new passphrase of six words.
export type SuggestPassphrase = Record<string, never>;

export const SuggestPassphrase: Codec<SuggestPassphrase> = codec<SuggestPassphrase>([]);

export interface Passphrase {
  words: string;
}

export const Passphrase: Codec<Passphrase> = codec<Passphrase>([
  { number: 1, name: "words", kind: "string" },
]);

// JudgePassphrase asks whether a chosen passphrase is strong enough. Answered with Judgement; needs no network.
export interface JudgePassphrase {
  passphrase: string;
}

export const JudgePassphrase: Codec<JudgePassphrase> = codec<JudgePassphrase>([
  { number: 1, name: "passphrase", kind: "string" },
]);

export interface Judgement {
  // Why it is too weak and what to do; empty for one that passes.
  problem: string;
}

export const Judgement: Codec<Judgement> = codec<Judgement>([
  { number: 1, name: "problem", kind: "string" },
]);

// ChangePassphrase gives the account another passphrase. Progress events come while it runs. Answered with Done.
export interface ChangePassphrase {
  passphrase: string;
  // Put this device's copy of the vault in the place of one on the server that does not open.
  repair: boolean;
}

export const ChangePassphrase: Codec<ChangePassphrase> = codec<ChangePassphrase>([
  { number: 1, name: "passphrase", kind: "string" },
  { number: 2, name: "repair", kind: "boolean" },
]);

// PassphraseChanged tells that a change was carried out, or why one that was begun before was not.
export interface PassphraseChanged {
  problem: string;
}

export const PassphraseChanged: Codec<PassphraseChanged> = codec<PassphraseChanged>([
  { number: 1, name: "problem", kind: "string" },
]);

// Reconnect asks that the next attempt begin now. Answered with Done.
export type Reconnect = Record<string, never>;

export const Reconnect: Codec<Reconnect> = codec<Reconnect>([]);

// ListAccounts asks for the people of the server. Answered with Accounts.
export type ListAccounts = Record<string, never>;

export const ListAccounts: Codec<ListAccounts> = codec<ListAccounts>([]);

export interface Account {
  account: string;
  handle: string;
  online: boolean;
  // 0 for now or never.
  seenAt: number;
}

export const Account: Codec<Account> = codec<Account>([
  { number: 1, name: "account", kind: "string" },
  { number: 2, name: "handle", kind: "string" },
  { number: 3, name: "online", kind: "boolean" },
  { number: 4, name: "seenAt", kind: "number" },
]);

export interface Accounts {
  accounts: Account[];
}

export const Accounts: Codec<Accounts> = codec<Accounts>([
  { number: 1, name: "accounts", kind: "message", of: () => Account, repeated: true },
]);

export type AccountsChanged = Record<string, never>;

export const AccountsChanged: Codec<AccountsChanged> = codec<AccountsChanged>([]);

// CreateInvite asks for a one-time code with which somebody may register. Answered with Invite.
export type CreateInvite = Record<string, never>;

export const CreateInvite: Codec<CreateInvite> = codec<CreateInvite>([]);

export interface Invite {
  code: string;
  expiresAt: number;
}

export const Invite: Codec<Invite> = codec<Invite>([
  { number: 1, name: "code", kind: "string" },
  { number: 2, name: "expiresAt", kind: "number" },
]);

// ListDevices asks for the devices of this account. Answered with Devices.
export type ListDevices = Record<string, never>;

export const ListDevices: Codec<ListDevices> = codec<ListDevices>([]);

export interface Device {
  device: string;
  name: string;
  enrolledAt: number;
  // The one that asks.
  current: boolean;
  // An alert of its coming was not dismissed.
  new: boolean;
}

export const Device: Codec<Device> = codec<Device>([
  { number: 1, name: "device", kind: "string" },
  { number: 2, name: "name", kind: "string" },
  { number: 3, name: "enrolledAt", kind: "number" },
  { number: 4, name: "current", kind: "boolean" },
  { number: 5, name: "new", kind: "boolean" },
]);

export interface Devices {
  devices: Device[];
}

export const Devices: Codec<Devices> = codec<Devices>([
  { number: 1, name: "devices", kind: "message", of: () => Device, repeated: true },
]);

// RenameDevice is answered with Done.
export interface RenameDevice {
  device: string;
  name: string;
}

export const RenameDevice: Codec<RenameDevice> = codec<RenameDevice>([
  { number: 1, name: "device", kind: "string" },
  { number: 2, name: "name", kind: "string" },
]);

// RevokeDevice ends another device of this account. Answered with Done.
export interface RevokeDevice {
  device: string;
}

export const RevokeDevice: Codec<RevokeDevice> = codec<RevokeDevice>([
  { number: 1, name: "device", kind: "string" },
]);

// ListAlerts asks for what was done to this account elsewhere and nobody has dismissed here. Answered with Alerts.
export type ListAlerts = Record<string, never>;

export const ListAlerts: Codec<ListAlerts> = codec<ListAlerts>([]);

export interface Alert {
  id: number;
  kind: AlertKind;
  // The device that came or went; empty of a passphrase.
  device: string;
  deviceName: string;
  at: number;
  // A device that was added is none any more.
  revoked: boolean;
}

export const Alert: Codec<Alert> = codec<Alert>([
  { number: 1, name: "id", kind: "number" },
  { number: 2, name: "kind", kind: "enum", names: namesAlertKind },
  { number: 3, name: "device", kind: "string" },
  { number: 4, name: "deviceName", kind: "string" },
  { number: 5, name: "at", kind: "number" },
  { number: 6, name: "revoked", kind: "boolean" },
]);

export interface Alerts {
  alerts: Alert[];
}

export const Alerts: Codec<Alerts> = codec<Alerts>([
  { number: 1, name: "alerts", kind: "message", of: () => Alert, repeated: true },
]);

// DismissAlerts takes alerts away on this device. Answered with Done.
export interface DismissAlerts {
  ids: number[];
}

export const DismissAlerts: Codec<DismissAlerts> = codec<DismissAlerts>([
  { number: 1, name: "ids", kind: "number", repeated: true },
]);

// AlertsChanged tells that ListAlerts would give another answer.
export type AlertsChanged = Record<string, never>;

export const AlertsChanged: Codec<AlertsChanged> = codec<AlertsChanged>([]);

// GetArchive asks how history is kept for new devices. Answered with Archive, as is SetArchive.
export type GetArchive = Record<string, never>;

export const GetArchive: Codec<GetArchive> = codec<GetArchive>([]);

// SetArchive turns that on or off, for the account or for a room; off deletes what the server has.
export interface SetArchive {
  // Empty for the account.
  room: string;
  on: boolean;
}

export const SetArchive: Codec<SetArchive> = codec<SetArchive>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "on", kind: "boolean" },
]);

export interface Archive {
  on: boolean;
  // The rooms that are left out.
  off: string[];
  // Why it cannot be used, and what helps.
  problem: string;
  try: string;
}

export const Archive: Codec<Archive> = codec<Archive>([
  { number: 1, name: "on", kind: "boolean" },
  { number: 2, name: "off", kind: "string", repeated: true },
  { number: 3, name: "problem", kind: "string" },
  { number: 4, name: "try", kind: "string" },
]);

// ArchiveChanged tells that GetArchive would give another answer, and ListMessages perhaps more than it did.
export type ArchiveChanged = Record<string, never>;

export const ArchiveChanged: Codec<ArchiveChanged> = codec<ArchiveChanged>([]);

// StartLink begins to let a new device in from this one. Answered with Link.
export type StartLink = Record<string, never>;

export const StartLink: Codec<StartLink> = codec<StartLink>([]);

export interface Link {
  code: string;
  drawing: Drawing | undefined;
}

export const Link: Codec<Link> = codec<Link>([
  { number: 1, name: "code", kind: "string" },
  { number: 2, name: "drawing", kind: "message", of: () => Drawing },
]);

// AwaitLink waits for the new device. Answered with Match.
export type AwaitLink = Record<string, never>;

export const AwaitLink: Codec<AwaitLink> = codec<AwaitLink>([]);

// Match is what people compare: both devices show these digits.
export interface Match {
  digits: string;
  // What the new device calls itself; empty on that device.
  deviceName: string;
}

export const Match: Codec<Match> = codec<Match>([
  { number: 1, name: "digits", kind: "string" },
  { number: 2, name: "deviceName", kind: "string" },
]);

// ConfirmLink hands the account over. Answered with Done when the new device is enrolled.
export type ConfirmLink = Record<string, never>;

export const ConfirmLink: Codec<ConfirmLink> = codec<ConfirmLink>([]);

// JoinLink begins on the new device, with the code as it was typed or scanned. Answered with Match.
export interface JoinLink {
  code: string;
  deviceName: string;
}

export const JoinLink: Codec<JoinLink> = codec<JoinLink>([
  { number: 1, name: "code", kind: "string" },
  { number: 2, name: "deviceName", kind: "string" },
]);

// AcceptLink takes what the old device hands over. Answered with Me.
export type AcceptLink = Record<string, never>;

export const AcceptLink: Codec<AcceptLink> = codec<AcceptLink>([]);

// CancelLink ends the link on either device. Answered with Done.
export type CancelLink = Record<string, never>;

export const CancelLink: Codec<CancelLink> = codec<CancelLink>([]);

// GetContact asks what is known of an account. Answered with Contact, as are the three calls after it; needs no network.
export interface GetContact {
  account: string;
}

export const GetContact: Codec<GetContact> = codec<GetContact>([
  { number: 1, name: "account", kind: "string" },
]);

// VerifyContact keeps that the other person sees this safety number: its digits as they were typed, or what a QR code held.
export interface VerifyContact {
  account: string;
  number: string;
}

export const VerifyContact: Codec<VerifyContact> = codec<VerifyContact>([
  { number: 1, name: "account", kind: "string" },
  { number: 2, name: "number", kind: "string" },
]);

export interface UnverifyContact {
  account: string;
}

export const UnverifyContact: Codec<UnverifyContact> = codec<UnverifyContact>([
  { number: 1, name: "account", kind: "string" },
]);

// AcceptContact takes an account for whoever has its handle.
export interface AcceptContact {
  account: string;
}

export const AcceptContact: Codec<AcceptContact> = codec<AcceptContact>([
  { number: 1, name: "account", kind: "string" },
]);

export interface Contact {
  account: string;
  handle: string;
  // Twelve groups of five digits with spaces between them.
  number: string;
  code: Drawing | undefined;
  // 0 where it was not verified on this device.
  verifiedAt: number;
  changed: boolean;
  wasVerified: boolean;
}

export const Contact: Codec<Contact> = codec<Contact>([
  { number: 1, name: "account", kind: "string" },
  { number: 2, name: "handle", kind: "string" },
  { number: 3, name: "number", kind: "string" },
  { number: 4, name: "code", kind: "message", of: () => Drawing },
  { number: 5, name: "verifiedAt", kind: "number" },
  { number: 6, name: "changed", kind: "boolean" },
  { number: 7, name: "wasVerified", kind: "boolean" },
]);

// Drawing is a QR code, dark on light, with light around it.
export interface Drawing {
  // The length of a side, in modules.
  side: number;
  // An SVG path, in modules.
  path: string;
}

export const Drawing: Codec<Drawing> = codec<Drawing>([
  { number: 1, name: "side", kind: "number" },
  { number: 2, name: "path", kind: "string" },
]);

export interface Room {
  room: string;
  kind: RoomKind;
  name: string;
  // The other's handle; 1:1 rooms only.
  direct: string;
  joined: boolean;
  members: number;
  // Processed by this device, and the log's end on the server.
  seq: number;
  serverSeq: number;
  unread: number;
  last: Message | undefined;
  // Why the room does not work; empty where it does.
  problem: string;
  // Of sealed rooms: the topic, this account's role, and the least roles that add members and that change name and topic.
  topic: string;
  role: string;
  adds: string;
  edits: string;
  // A member by whose handle this device has known another account; absent where there is none.
  stranger: Stranger | undefined;
  // Who has let this account in, while nobody here has accepted the room; else empty.
  request: string;
  // This device waits to be let in by an invite.
  waiting: boolean;
  // The room is not to be shown.
  gone: boolean;
  // This account is in the room, and this device waits for another one to let it in.
  outside: boolean;
  // Up to where the log was marked as read.
  read: number;
}

export const Room: Codec<Room> = codec<Room>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "kind", kind: "enum", names: namesRoomKind },
  { number: 3, name: "name", kind: "string" },
  { number: 4, name: "direct", kind: "string" },
  { number: 5, name: "joined", kind: "boolean" },
  { number: 6, name: "members", kind: "number" },
  { number: 7, name: "seq", kind: "number" },
  { number: 8, name: "serverSeq", kind: "number" },
  { number: 9, name: "unread", kind: "number" },
  { number: 10, name: "last", kind: "message", of: () => Message },
  { number: 11, name: "problem", kind: "string" },
  { number: 12, name: "topic", kind: "string" },
  { number: 13, name: "role", kind: "string" },
  { number: 14, name: "adds", kind: "string" },
  { number: 15, name: "edits", kind: "string" },
  { number: 16, name: "stranger", kind: "message", of: () => Stranger },
  { number: 17, name: "request", kind: "string" },
  { number: 18, name: "waiting", kind: "boolean" },
  { number: 19, name: "gone", kind: "boolean" },
  { number: 20, name: "outside", kind: "boolean" },
  { number: 21, name: "read", kind: "number" },
]);

export interface Stranger {
  account: string;
  handle: string;
  // The other account was verified: nothing can be said in the room before somebody has looked.
  wasVerified: boolean;
}

export const Stranger: Codec<Stranger> = codec<Stranger>([
  { number: 1, name: "account", kind: "string" },
  { number: 2, name: "handle", kind: "string" },
  { number: 3, name: "wasVerified", kind: "boolean" },
]);

// ListRooms asks for the rooms of this account and all open ones. Answered with Rooms.
export type ListRooms = Record<string, never>;

export const ListRooms: Codec<ListRooms> = codec<ListRooms>([]);

export interface Rooms {
  rooms: Room[];
}

export const Rooms: Codec<Rooms> = codec<Rooms>([
  { number: 1, name: "rooms", kind: "message", of: () => Room, repeated: true },
]);

// OpenDirect asks for the 1:1 room with somebody, which is made if it does not exist. Answered with Room.
export interface OpenDirect {
  handle: string;
}

export const OpenDirect: Codec<OpenDirect> = codec<OpenDirect>([
  { number: 1, name: "handle", kind: "string" },
]);

// PostDirect says something to somebody in the 1:1 room with them. Answered with Room when it is durable on this device: the
// pair's, or one that waits, in which the message stands until the pair's is there.
export interface PostDirect {
  handle: string;
  text: string;
}

export const PostDirect: Codec<PostDirect> = codec<PostDirect>([
  { number: 1, name: "handle", kind: "string" },
  { number: 2, name: "text", kind: "string" },
]);

// CreateRoom is answered with Room.
export interface CreateRoom {
  name: string;
  open: boolean;
  handles: string[];
}

export const CreateRoom: Codec<CreateRoom> = codec<CreateRoom>([
  { number: 1, name: "name", kind: "string" },
  { number: 2, name: "open", kind: "boolean" },
  { number: 3, name: "handles", kind: "string", repeated: true },
]);

export interface JoinRoom {
  room: string;
}

export const JoinRoom: Codec<JoinRoom> = codec<JoinRoom>([
  { number: 1, name: "room", kind: "string" },
]);

export interface LeaveRoom {
  room: string;
}

export const LeaveRoom: Codec<LeaveRoom> = codec<LeaveRoom>([
  { number: 1, name: "room", kind: "string" },
]);

export interface AddMembers {
  room: string;
  handles: string[];
}

export const AddMembers: Codec<AddMembers> = codec<AddMembers>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "handles", kind: "string", repeated: true },
]);

export interface RemoveMembers {
  room: string;
  handles: string[];
}

export const RemoveMembers: Codec<RemoveMembers> = codec<RemoveMembers>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "handles", kind: "string", repeated: true },
]);

// SetRole gives a member a role: owner, admin, member or reader. Answered with Done.
export interface SetRole {
  room: string;
  handle: string;
  role: string;
}

export const SetRole: Codec<SetRole> = codec<SetRole>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "handle", kind: "string" },
  { number: 3, name: "role", kind: "string" },
]);

// ChangeRoom says what a sealed room's settings are to be, all of them. Answered with Done.
export interface ChangeRoom {
  room: string;
  name: string;
  topic: string;
  adds: string;
  edits: string;
}

export const ChangeRoom: Codec<ChangeRoom> = codec<ChangeRoom>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "name", kind: "string" },
  { number: 3, name: "topic", kind: "string" },
  { number: 4, name: "adds", kind: "string" },
  { number: 5, name: "edits", kind: "string" },
]);

// AdmitRoom accepts a room into which a stranger has let this account, or declines it. Answered with Done.
export interface AdmitRoom {
  room: string;
  decline: boolean;
}

export const AdmitRoom: Codec<AdmitRoom> = codec<AdmitRoom>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "decline", kind: "boolean" },
]);

// CreateRoomInvite makes an invite to a sealed room. Answered with RoomInvites, which has this one.
export interface CreateRoomInvite {
  room: string;
  uses: number;
  hours: number;
  reader: boolean;
  // The page's own, which the links begin with.
  origin: string;
}

export const CreateRoomInvite: Codec<CreateRoomInvite> = codec<CreateRoomInvite>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "uses", kind: "number" },
  { number: 3, name: "hours", kind: "number" },
  { number: 4, name: "reader", kind: "boolean" },
  { number: 5, name: "origin", kind: "string" },
]);

// ListRoomInvites is answered with RoomInvites.
export interface ListRoomInvites {
  room: string;
  origin: string;
}

export const ListRoomInvites: Codec<ListRoomInvites> = codec<ListRoomInvites>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "origin", kind: "string" },
]);

export interface RoomInvites {
  invites: RoomInvite[];
}

export const RoomInvites: Codec<RoomInvites> = codec<RoomInvites>([
  { number: 1, name: "invites", kind: "message", of: () => RoomInvite, repeated: true },
]);

export interface RoomInvite {
  invite: string;
  // The link and its picture; absent but on the device that made the invite.
  link: string;
  code: Drawing | undefined;
  maker: string;
  role: string;
  expiresAt: number;
  uses: number;
  used: number;
  revoked: boolean;
}

export const RoomInvite: Codec<RoomInvite> = codec<RoomInvite>([
  { number: 1, name: "invite", kind: "string" },
  { number: 2, name: "link", kind: "string" },
  { number: 3, name: "code", kind: "message", of: () => Drawing },
  { number: 4, name: "maker", kind: "string" },
  { number: 5, name: "role", kind: "string" },
  { number: 6, name: "expiresAt", kind: "number" },
  { number: 7, name: "uses", kind: "number" },
  { number: 8, name: "used", kind: "number" },
  { number: 9, name: "revoked", kind: "boolean" },
]);

// RevokeRoomInvite is answered with Done.
export interface RevokeRoomInvite {
  room: string;
  invite: string;
}

export const RevokeRoomInvite: Codec<RevokeRoomInvite> = codec<RevokeRoomInvite>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "invite", kind: "string" },
]);

// JoinByInvite asks to be let into a room. Answered with Room when the server has the request.
export interface JoinByInvite {
  code: string;
}

export const JoinByInvite: Codec<JoinByInvite> = codec<JoinByInvite>([
  { number: 1, name: "code", kind: "string" },
]);

// BlockAccount has this device hear no more of somebody, or again. Answered with Done.
export interface BlockAccount {
  handle: string;
  unblock: boolean;
}

export const BlockAccount: Codec<BlockAccount> = codec<BlockAccount>([
  { number: 1, name: "handle", kind: "string" },
  { number: 2, name: "unblock", kind: "boolean" },
]);

// ListBlocked is answered with Accounts.
export type ListBlocked = Record<string, never>;

export const ListBlocked: Codec<ListBlocked> = codec<ListBlocked>([]);

// ListMembers is answered with Members.
export interface ListMembers {
  room: string;
}

export const ListMembers: Codec<ListMembers> = codec<ListMembers>([
  { number: 1, name: "room", kind: "string" },
]);

export interface Member {
  account: string;
  handle: string;
  // owner, admin, member or reader.
  role: string;
  devices: number;
  // Safety numbers were compared on this device.
  verified: boolean;
  // This device has known another account by the handle.
  stranger: boolean;
}

export const Member: Codec<Member> = codec<Member>([
  { number: 1, name: "account", kind: "string" },
  { number: 2, name: "handle", kind: "string" },
  { number: 3, name: "role", kind: "string" },
  { number: 4, name: "devices", kind: "number" },
  { number: 5, name: "verified", kind: "boolean" },
  { number: 6, name: "stranger", kind: "boolean" },
]);

export interface Members {
  members: Member[];
}

export const Members: Codec<Members> = codec<Members>([
  { number: 1, name: "members", kind: "message", of: () => Member, repeated: true },
]);

// MarkRead says that a person has seen the room up to seq. Answered with Done.
export interface MarkRead {
  room: string;
  seq: number;
}

export const MarkRead: Codec<MarkRead> = codec<MarkRead>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "seq", kind: "number" },
]);

export interface Message {
  room: string;
  // 0 while pending.
  seq: number;
  id: string;
  // The sender's handle.
  from: string;
  account: string;
  device: string;
  deviceName: string;
  at: number;
  kind: MessageKind;
  text: string;
  // The cause of a gap.
  gap: string;
  state: MessageState;
  // Why it failed.
  problem: string;
  own: boolean;
  // The last place of a gap, what can be done about it, and where the sender can be asked to say it again, the words.
  until: number;
  try: string;
  ask: string;
  // The sender is blocked: it is shown only when somebody asks for it.
  blocked: boolean;
}

export const Message: Codec<Message> = codec<Message>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "seq", kind: "number" },
  { number: 3, name: "id", kind: "string" },
  { number: 4, name: "from", kind: "string" },
  { number: 5, name: "account", kind: "string" },
  { number: 6, name: "device", kind: "string" },
  { number: 7, name: "deviceName", kind: "string" },
  { number: 8, name: "at", kind: "number" },
  { number: 9, name: "kind", kind: "enum", names: namesMessageKind },
  { number: 10, name: "text", kind: "string" },
  { number: 11, name: "gap", kind: "string" },
  { number: 12, name: "state", kind: "enum", names: namesMessageState },
  { number: 13, name: "problem", kind: "string" },
  { number: 14, name: "own", kind: "boolean" },
  { number: 15, name: "until", kind: "number" },
  { number: 16, name: "try", kind: "string" },
  { number: 17, name: "ask", kind: "string" },
  { number: 18, name: "blocked", kind: "boolean" },
]);

export interface Messages {
  messages: Message[];
}

export const Messages: Codec<Messages> = codec<Messages>([
  { number: 1, name: "messages", kind: "message", of: () => Message, repeated: true },
]);

// Post is answered with Posted as soon as the message is durable on this device; MessageChanged tells of its fate.
export interface Post {
  room: string;
  text: string;
}

export const Post: Codec<Post> = codec<Post>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "text", kind: "string" },
]);

export interface Posted {
  id: string;
}

export const Posted: Codec<Posted> = codec<Posted>([
  { number: 1, name: "id", kind: "string" },
]);

// Retry sends a failed message again.
export interface Retry {
  room: string;
  id: string;
}

export const Retry: Codec<Retry> = codec<Retry>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "id", kind: "string" },
]);

// Discard forgets a failed message.
export interface Discard {
  room: string;
  id: string;
}

export const Discard: Codec<Discard> = codec<Discard>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "id", kind: "string" },
]);

// ListMessages reads a stretch of a room in ascending order: the last `limit` messages with seq < before, where before
// is not 0, or the first `limit` with seq > after, where after is not 0; else the newest, pending ones included. Answered
// with Messages.
export interface ListMessages {
  room: string;
  before: number;
  after: number;
  limit: number;
}

export const ListMessages: Codec<ListMessages> = codec<ListMessages>([
  { number: 1, name: "room", kind: "string" },
  { number: 2, name: "before", kind: "number" },
  { number: 3, name: "after", kind: "number" },
  { number: 4, name: "limit", kind: "number" },
]);
