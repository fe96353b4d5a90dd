// The contract of client.Store over IndexedDB: the Go suite, compiled to WebAssembly, in the browser that keeps the data.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { browserPresent, launch } from "./browser";

test.runIf(browserPresent())("IndexedDB keeps the contract of a store", { timeout: 300_000 }, async () => {
  const root = new URL("../..", import.meta.url).pathname;
  const dir = mkdtempSync(join(tmpdir(), "snug-idb-"));
  const wasm = join(dir, "idb.test.wasm");
  execFileSync("go", ["test", "-c", "-o", wasm, "./internal/idb"], { cwd: root, env: { ...process.env, GOOS: "js", GOARCH: "wasm" } });
  const goroot = execFileSync("go", ["env", "GOROOT"], { encoding: "utf8" }).trim();
  const files: Record<string, [string, Buffer]> = {
    "/": ["text/html", Buffer.from("<!doctype html><title>test</title>")],
    "/go.js": ["text/javascript", readFileSync(`${goroot}/lib/wasm/wasm_exec.js`)],
    "/test.wasm": ["application/wasm", readFileSync(wasm)],
  };
  const server = createServer((request, response) => {
    const [type, body] = files[request.url ?? ""] ?? ["text/plain", Buffer.from("")];
    response.writeHead(200, { "content-type": type }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await launch();
  try {
    const page = await browser.newPage();
    const output: string[] = [];
    page.on("console", (message) => output.push(message.text()));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.addScriptTag({ url: "/go.js" });
    const code = await page.evaluate(async () => {
      const { Go } = globalThis as unknown as { Go: new () => { argv: string[]; exit: (code: number) => void; importObject: WebAssembly.Imports; run(i: WebAssembly.Instance): Promise<void> } };
      const go = new Go();
      let code = -1;
      go.argv = ["idb.test", "-test.v", "-test.timeout=120s"];
      go.exit = (given) => (code = given);
      const program = await WebAssembly.instantiateStreaming(fetch("/test.wasm"), go.importObject);
      await go.run(program.instance);
      return code;
    });
    const lines = output.join("\n");
    if (code !== 0) console.log(lines);
    expect(code).toBe(0);
    expect(lines).toContain("--- PASS: TestContract/concurrent");
    expect(lines).toContain("--- PASS: TestOpenDenied/throws");
  } finally {
    await browser.close();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  }
});
