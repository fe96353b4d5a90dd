import type { RefusalCode } from "./protocol";

// CallError is what a call rejects with: what failed and what to do about it, for a person, and the code to branch on.
export class CallError extends Error {
  readonly code: RefusalCode;
  readonly hint: string;

  constructor(code: RefusalCode, message: string, hint: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

// explain turns whatever was thrown into sentences for a person: what failed, and what to do.
export function explain(thrown: unknown): { message: string; hint: string; code: RefusalCode } {
  if (thrown instanceof CallError) return { message: sentence(thrown.message), hint: sentence(thrown.hint), code: thrown.code };
  return { message: sentence(thrown instanceof Error ? thrown.message : String(thrown)), hint: "", code: "failed" };
}

// phrase is the same in one line, for where there is room for no more.
export function phrase(thrown: unknown): string {
  const { message, hint } = explain(thrown);
  return hint === "" ? message : `${message} ${hint}`;
}

// sentence: the core speaks as it does in a terminal, without a capital and without a stop.
export function sentence(text: string): string {
  if (text === "") return "";
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/u.test(begun) ? begun : `${begun}.`;
}
