// The tests that need what npm does not install: Debian's packages, or root. They are run by tools/test-machine.js.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["test/machine/**/*.test.ts"], pool: "threads", testTimeout: 60_000, hookTimeout: 180_000 },
});
