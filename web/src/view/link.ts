// Invite links carry their code in the fragment, which no server sees and which leaves the address bar at once.

export interface Invites {
  // To the server, and to a room.
  server: string;
  room: string;
}

export function takeInvites(): Invites {
  const text = location.hash.slice(1);
  if (text !== "") history.replaceState(history.state, "", location.pathname + location.search);
  if (text.startsWith("snug-room-")) return { server: "", room: text };
  return { server: new URLSearchParams(text).get("invite") ?? "", room: "" };
}

export function inviteLink(code: string): string {
  return `${location.origin}/#invite=${encodeURIComponent(code)}`;
}

// inviteOf takes the code out of what somebody pasted: the code, or the whole link.
export function inviteOf(text: string): string {
  const at = text.indexOf("#invite=");
  return at < 0 ? text.trim() : (new URLSearchParams(text.slice(at + 1).trim()).get("invite") ?? "");
}
