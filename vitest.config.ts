// Which files are tests. The threads pool, because coverage of forked workers reads as "0 of 0" and looks green.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["test/**/*.test.ts", "fuzz/**/*.test.ts"], pool: "threads", testTimeout: 30_000 },
});
