/** Recovery reads in chunks: where they begin and end makes no difference to what it finds. */
import { expect, test } from "vitest";
import { recover } from "../core/storage/recovery.ts";
import { MemoryDisk } from "./memory-disk.ts";
import { OPTIONS, bootstrapped, entry, hardState, order } from "./storage-run.ts";

/** What recovery says of the disk; performed at once. */
function recoverBy(disk: MemoryDisk, chunkBytes?: number): { readonly result: unknown; readonly longestRead: number } {
  const steps = recover(OPTIONS, chunkBytes);
  let longestRead = 0;
  for (let step = steps.next(); ; ) {
    if (step.done) {
      const judged = step.value;
      return { result: judged.ok ? judged.value : judged.fault, longestRead };
    }
    if (step.value.type === "read") longestRead = Math.max(longestRead, step.value.length);
    step = steps.next(disk.perform(step.value));
  }
}

type Files = Record<string, Uint8Array>;

function filesOf(): Files {
  const run = bootstrapped();
  const entries = [entry(1, 1), entry(1, 2, new Uint8Array(700).fill(3))];
  run.persist(order(1, { hardState: hardState(1, "a"), entries }));
  run.persist(order(2, { entries: [entry(1, 3, new Uint8Array(5000).fill(9))] }));
  run.persist(order(3, { truncateTo: 2, entries: [entry(1, 3, new Uint8Array(33).fill(8))] })).settle();
  return Object.fromEntries(run.disk.names.map((name) => [name, run.disk.bytesOf(name)!]));
}

test.each<[string, number | null]>([
  ["a whole log", null],
  ["a header damaged", 100],
  ["a payload damaged", 9000],
  ["a record's header damaged", 8192],
])("chunks of any size find the same: %s", (_name, damageAt) => {
  const files = filesOf();
  const log = files["log-0000000001"]!;
  if (damageAt !== null) log[damageAt] = log[damageAt]! ^ 0xff;
  const expected = recoverBy(MemoryDisk.of(files));
  for (const chunkBytes of [8, 64, 72, 512, 1000, 4096]) {
    const found = recoverBy(MemoryDisk.of(files), chunkBytes);
    expect(found.result, `in chunks of ${chunkBytes}`).toEqual(expected.result);
    // The hard state's file and the identity are read whole.
    expect(found.longestRead).toBeLessThanOrEqual(Math.max(chunkBytes + 56, 16384));
  }
});
