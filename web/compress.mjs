// Writes a .br and a .gz beside every file of dist/ that shrinks, and prints what the page costs. Run by `make web`.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { extname, join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

// In bytes: a phone on a slow line waits for these. The core is counted in brotli, which every browser takes over TLS and on
// loopback; the scripts and the sheet in gzip, as others count theirs. Page is what stands between a person and the first
// sight; later are the scripts that come while nobody waits (docs/decisions/0053-first-load.md).
const budgets = { core: ["brotli", 2 * 1024 * 1024], page: ["gzip", 60 * 1024], later: ["gzip", 30 * 1024] };

const dist = new URL("dist/", import.meta.url).pathname;
const kinds = { ".wasm": "core", ".js": "page", ".css": "page", ".html": "other", ".svg": "other" };
const totals = { core: 0, page: 0, later: 0, other: 0 };
const rows = [];

// A script is later when the page's own imports do not lead to it: it is imported on demand.
const chunks = JSON.parse(readFileSync(join(dist, ".vite/manifest.json"), "utf8"));
rmSync(join(dist, ".vite"), { recursive: true });
const atOnce = new Set(["index.html"]);
for (const name of atOnce) for (const imported of chunks[name].imports ?? []) atOnce.add(imported);
const later = new Set(Object.keys(chunks).filter((name) => !atOnce.has(name)).map((name) => chunks[name].file).filter((file) => file.endsWith(".js")));

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  const kind = later.has(relative(dist, path)) ? "later" : kinds[extname(path)];
  if (!entry.isFile() || kind === undefined) continue;
  const raw = readFileSync(path);
  const gz = gzipSync(raw, { level: 9 });
  // Quality 11 takes ten seconds for the core; 9 costs 5 % of size and none of the patience.
  const quality = raw.length > 1024 * 1024 ? 9 : 11;
  const br = brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length, [constants.BROTLI_PARAM_LGWIN]: 24 } });
  writeFileSync(`${path}.gz`, gz);
  writeFileSync(`${path}.br`, br);
  totals[kind] += budgets[kind]?.[0] === "brotli" ? br.length : gz.length;
  rows.push([relative(dist, path), raw.length, gz.length, br.length]);
}

const kib = (n) => `${(n / 1024).toFixed(1)} KiB`.padStart(13);
console.log(`${"web/dist".padEnd(36)}${"raw".padStart(13)}${"gzip".padStart(13)}${"brotli".padStart(13)}`);
for (const [name, ...sizes] of rows.sort()) console.log(name.padEnd(36) + sizes.map(kib).join(""));
for (const [kind, [coding, budget]] of Object.entries(budgets)) {
  console.log(`${kind}: ${kib(totals[kind]).trim()} ${coding} of ${kib(budget).trim()}`);
  if (totals[kind] > budget) {
    console.error(`web: the ${kind} is over its budget`);
    process.exitCode = 1;
  }
}
