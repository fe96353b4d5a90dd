// What others wrote, made safe to show as text, and times in words.

// Characters that have no shape of their own, and those that turn the direction of what follows outside of their line.
// eslint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202d\u202e]/gu;
const directions = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

// visible shows control characters instead of obeying them; newlines and tabs stay.
export function visible(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(controls, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\ufffd";
  });
}

// oneLine is for names and previews: no newlines, no runs of space, no marks of direction.
export function oneLine(text: string): string {
  return visible(text.replace(directions, "").replace(/\s+/gu, " ")).trim();
}

// initial is the letter for somebody's picture.
export function initial(name: string): string {
  const letters = oneLine(name).replace(/^[@#]/u, "");
  const first = [...new Intl.Segmenter().segment(letters)][0]?.segment ?? "?";
  return first.toLocaleUpperCase();
}

// hue is a number below 8 that is always the same for a name.
export function hue(name: string): number {
  let sum = 0x811c9dc5;
  for (const character of name) sum = Math.imul(sum ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return ((sum ^ (sum >>> 15)) >>> 0) % 8;
}

const day = 24 * 60 * 60 * 1000;

// sameDay by the reader's calendar.
export function sameDay(a: number, b: number): boolean {
  return startOfDay(a) === startOfDay(b);
}

function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

// dayName is "Today", "Yesterday", the weekday within a week, then the date.
export function dayName(at: number, now: number): string {
  const days = Math.round((startOfDay(now) - startOfDay(at)) / day);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  const date = new Date(at);
  if (days > 1 && days < 7) return date.toLocaleDateString(undefined, { weekday: "long" });
  const year = date.getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long", year });
}

export function clock(at: number): string {
  return new Date(at).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
}

// shortTime is a clock today, else a short date.
export function shortTime(at: number, now: number): string {
  if (sameDay(at, now)) return clock(at);
  return new Date(at).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

// ago is how long ago, in words.
export function ago(at: number, now: number): string {
  const minutes = Math.floor((now - at) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ago`;
  return dayName(at, now);
}

export function fullTime(at: number): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: "full", timeStyle: "short" });
}
