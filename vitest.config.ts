// Which files are tests; those of test/machine have a command of their own (tools/test-machine.js).
// The threads pool, because coverage of forked workers reads as "0 of 0" and looks green.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "fuzz/**/*.test.ts"],
    exclude: ["test/machine/**"],
    pool: "threads",
    testTimeout: 30_000,
  },
});
