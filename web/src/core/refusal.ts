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

// explain turns whatever was thrown into words for a person.
export function explain(thrown: unknown): { message: string; hint: string; code: RefusalCode } {
  if (thrown instanceof CallError) return { message: thrown.message, hint: thrown.hint, code: thrown.code };
  return { message: thrown instanceof Error ? thrown.message : String(thrown), hint: "", code: "failed" };
}
