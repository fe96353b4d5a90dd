// A server of files with the headers of the real one, and the scripted core in place of the worker's script.

import { createReadStream, existsSync, mkdtempSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { build } from "vite";

export const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "font-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types snug",
].join("; ");

const types: Record<string, string> = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".wasm": "application/wasm" };

export interface Served {
  origin: string;
  close(): void;
}

export async function serveFake(signedIn: boolean): Promise<Served> {
  const root = new URL("..", import.meta.url).pathname;
  const out = mkdtempSync(join(tmpdir(), "snug-fake-"));
  await build({
    configFile: false,
    root,
    logLevel: "warn",
    define: { "self.name": signedIn ? '"in"' : '"out"' },
    build: { outDir: out, emptyOutDir: true, lib: { entry: join(root, "test/fake/worker.ts"), formats: ["es"], fileName: () => "worker.js" }, minify: false },
  });
  const server: Server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://snug.test").pathname;
    const file = /^\/assets\/worker-[\w-]+\.js$/.test(path) ? join(out, "worker.js") : join(root, "dist", path === "/" ? "index.html" : path.replaceAll("..", ""));
    if (!existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream", "content-security-policy": policy, "x-content-type-options": "nosniff" });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}
