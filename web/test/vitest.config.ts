import { defineConfig } from "vitest/config";

// The tests that need a browser, one after the other: they share two processors with what they test. The time is for a
// machine with ten times the work that it has room for; what a test waits for is bounded by the step, at 30 s: Playwright's
// own bound, which vitest's polling, of one second, is made to have as well.
export default defineConfig({
  test: { include: ["test/**/*.test.ts"], environment: "node", fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 30_000 } } },
});
