import { execFileSync } from "node:child_process";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// Go's half of the bridge between WebAssembly and JavaScript: of the toolchain that compiles the core, so that the two
// always match.
const goroot = process.env["SNUG_GOROOT"] ?? execFileSync("go", ["env", "GOROOT"], { encoding: "utf8" }).trim();

export default defineConfig({
  plugins: [svelte()],
  resolve: { alias: { "go-wasm-exec": `${goroot}/lib/wasm/wasm_exec.js` } },
  build: {
    target: "es2023",
    // dist/ holds a committed file; make empties the rest.
    emptyOutDir: false,
    assetsInlineLimit: 0,
    // One sheet for all: a script that is loaded again after a failure has its looks already.
    cssCodeSplit: false,
    // compress.mjs reads from it what is loaded at first sight, and takes it away.
    manifest: true,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
