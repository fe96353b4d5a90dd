// Invite links carry their code in the fragment, which no server sees and which leaves the address bar at once.

export function takeInvite(): string {
  const code = new URLSearchParams(location.hash.slice(1)).get("invite") ?? "";
  if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
  return code;
}

export function inviteLink(code: string): string {
  return `${location.origin}/#invite=${encodeURIComponent(code)}`;
}

// inviteOf takes the code out of what somebody pasted: the code, or the whole link.
export function inviteOf(text: string): string {
  const at = text.indexOf("#invite=");
  return at < 0 ? text.trim() : decodeURIComponent(text.slice(at + "#invite=".length).trim());
}
