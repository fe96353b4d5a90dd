import { defineConfig } from "vitest/config";

// The tests that need a browser, one after the other: they share two processors with what they test.
export default defineConfig({
  test: { include: ["test/**/*.test.ts"], environment: "node", fileParallelism: false, testTimeout: 60_000, hookTimeout: 60_000 },
});
