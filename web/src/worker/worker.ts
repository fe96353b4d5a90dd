// The worker: it loads the core and passes packets between it and the page. Keys are made, kept and used in here.

import "go-wasm-exec";
import coreUrl from "../../../build/snug.wasm?url";

declare class Go {
  importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
}

const scope = self as unknown as DedicatedWorkerGlobalScope;

// What the core finds as snugPort (cmd/snug-wasm).
const port = {
  // Set by the core.
  receive: undefined as ((call: Uint8Array) => void) | undefined,
  early: [] as Uint8Array[],
  cause: "",
  post(packet: Uint8Array<ArrayBuffer>): void {
    scope.postMessage(packet, [packet.buffer]);
  },
  ready(): void {
    for (const call of port.early.splice(0)) port.receive?.(call);
    started = true;
  },
  fail(cause: string): void {
    port.cause = cause;
  },
};

let started = false;

scope.onmessage = (event: MessageEvent<unknown>) => {
  if (!(event.data instanceof Uint8Array)) return;
  if (started) port.receive?.(event.data);
  else port.early.push(event.data);
};

async function main(): Promise<void> {
  const go = new Go();
  const core = await WebAssembly.instantiateStreaming(fetch(coreUrl), go.importObject);
  await go.run(core.instance);
}

Object.assign(globalThis, { snugPort: port });
main().then(
  // A core that has ended, however: a string is the worker's last word.
  () => scope.postMessage(port.cause === "" ? "it ended unexpectedly" : port.cause),
  (thrown: unknown) => scope.postMessage(thrown instanceof Error ? thrown.message : String(thrown)),
);
