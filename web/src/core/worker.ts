// Starting the worker. Trusted Types let a script URL be made here and nowhere else, and only this one.

import workerUrl from "../worker/worker.ts?worker&url";

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

export function startWorker(): Worker {
  return new Worker(trusted(workerUrl), { type: "module", name: "snug core" });
}

function trusted(url: string): string {
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  if (types === undefined) return url;
  const policy = types.createPolicy("snug", {
    createScriptURL: (wanted) => {
      if (wanted !== workerUrl) throw new TypeError("only the worker's own script may be loaded");
      return wanted;
    },
  });
  return policy.createScriptURL(url);
}
