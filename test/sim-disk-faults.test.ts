/** The simulated disk as it breaks: what each fault does, and what it leaves alone. */
import { expect, test } from "vitest";
import type { DiskOperation } from "../core/storage/disk.ts";
import { Chance } from "../sim/chance.ts";
import { SimulatedDisk } from "../sim/disk.ts";
import type { DiskOutcome } from "../sim/disk-outcome.ts";
import { BLOCK_SIZE, type PowerLoss, SECTOR_SIZE } from "../sim/power-loss.ts";
import { Tally } from "../sim/tally.ts";

const DROP: PowerLoss = { dropPercent: 100, tearPercent: 0, garblePercent: 0, unit: SECTOR_SIZE };

/** A disk that does everything at once. */
class Bench {
  readonly tally = new Tally();
  readonly disk: SimulatedDisk;

  constructor(seed = 1) {
    this.disk = new SimulatedDisk({ accessUs: 100, syncUs: 1000, isSteady: false }, new Chance(seed), this.tally, true);
  }

  do(operation: DiskOperation): DiskOutcome {
    return this.disk.perform(this.disk.begin(0, operation));
  }

  /** What came of the operation: "done", the bytes that were read, or the code of the failure. */
  try(operation: DiskOperation): string {
    const outcome = this.do(operation);
    if (!outcome.ok) return outcome.failure.code;
    return outcome.result.type === "read" ? outcome.result.bytes.join(" ") : outcome.result.type;
  }

  /** A file with these bytes, all of it durable. */
  store(file: string, bytes: Uint8Array): void {
    for (const operation of [create(file), write(file, 0, bytes), sync(file), syncDirectory]) this.do(operation);
  }
}

const create = (file: string): DiskOperation => ({ type: "open", file, create: true });
const sync = (file: string): DiskOperation => ({ type: "sync", file });
const syncDirectory: DiskOperation = { type: "syncDirectory" };
const read = (file: string, offset: number, length: number): DiskOperation => ({ type: "read", file, offset, length });
const write = (file: string, offset: number, bytes: Uint8Array): DiskOperation => {
  return { type: "write", file, offset, bytes };
};
const fill = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

test("a bit that rots is wrong for every reader, after a loss of power too, until it is overwritten", () => {
  const bench = new Bench();
  bench.store("log", fill(4, 1));
  const file = bench.disk.durableFile("log")!;
  file.rot(2, 0x80, true);
  expect(bench.tally.effects.bitRot).toBe(0);
  expect(bench.try(read("log", 0, 4))).toBe("1 1 129 1");
  expect([bench.tally.effects.bitRot, bench.disk.hasMetDamage]).toEqual([1, true]);
  bench.disk.crash(DROP);
  expect([bench.try(read("log", 0, 4)), bench.disk.durable("log")!.join(" ")]).toEqual(["1 1 129 1", "1 1 129 1"]);
  bench.do(write("log", 1, fill(2, 7)));
  expect(file.damage.isNone).toBe(false);
  bench.do(sync("log"));
  expect([bench.try(read("log", 0, 4)), file.damage.isNone]).toEqual(["1 7 7 1", true]);
});

test("rot beneath a write that is not synced shows only if that is lost", () => {
  const bench = new Bench();
  bench.store("log", fill(2, 1));
  bench.do(write("log", 0, fill(1, 5)));
  bench.disk.durableFile("log")!.rot(0, 1, true);
  expect(bench.try(read("log", 0, 2))).toBe("5 1");
  bench.disk.crash(DROP);
  expect(bench.try(read("log", 0, 2))).toBe("0 1");
});

test("sectors that cannot be read fail every read that touches them, and no other", () => {
  const bench = new Bench();
  bench.store("log", fill(4 * SECTOR_SIZE, 1));
  bench.disk.durableFile("log")!.spoil(1, 2, true);
  expect(bench.try(read("log", SECTOR_SIZE - 1, 1))).toBe("1");
  expect(bench.try(read("log", SECTOR_SIZE - 1, 2))).toBe("EIO");
  expect(bench.try(read("log", 3 * SECTOR_SIZE - 1, 1))).toBe("EIO");
  expect(bench.try(read("log", 3 * SECTOR_SIZE, 1))).toBe("1");
});

test("an unreadable sector is readable again once all of it is written, and stays so once that is synced", () => {
  const bench = new Bench();
  bench.store("log", fill(2 * SECTOR_SIZE, 1));
  const file = bench.disk.durableFile("log")!;
  file.spoil(0, 1, false);
  bench.do(write("log", 0, fill(SECTOR_SIZE - 1, 2)));
  expect(bench.try(read("log", 0, 1))).toBe("EIO");
  bench.do(write("log", 0, fill(SECTOR_SIZE, 2)));
  expect(bench.try(read("log", 0, 1))).toBe("2");
  bench.disk.crash(DROP);
  expect(bench.try(read("log", 0, 1))).toBe("EIO");
  bench.do(write("log", 0, fill(SECTOR_SIZE, 2)));
  bench.do(sync("log"));
  bench.disk.crash(DROP);
  expect([bench.try(read("log", 0, 1)), file.damage.isNone]).toEqual(["2", true]);
});

test("a misdirected write leaves its own place as it was, and spoils another", () => {
  const bench = new Bench();
  bench.store("log", fill(4, 1));
  bench.store("pages", fill(4, 9));
  bench.do(write("log", 1, fill(2, 2)));
  bench.do(sync("log"));
  const file = bench.disk.durableFile("log")!;
  expect(file.misdirectable).toMatchObject({ offset: 1, bytes: fill(2, 2) });
  file.misdirect(bench.disk.durableFile("pages")!, 3);
  expect([bench.try(read("log", 0, 4)), bench.try(read("pages", 0, 9))]).toEqual(["1 1 1 1", "9 9 9 2"]);
  expect(file.misdirectable).toBe(null);
  expect(bench.tally.effects.misdirectedWrite).toBe(2);
});

test("a write that has been overwritten since cannot turn out to be misdirected", () => {
  const bench = new Bench();
  bench.store("log", fill(4, 1));
  bench.do(write("log", 3, fill(1, 2)));
  expect(bench.disk.durableFile("log")!.misdirectable).toBe(null);
});

test("a misdirected read is answered once with bytes from elsewhere, as many as were asked for", () => {
  const bench = new Bench();
  const bytes = Uint8Array.from({ length: 64 }, (_, at) => at);
  bench.store("log", bytes);
  bench.disk.misread((file, from) => file === "log" && from >= 8);
  expect(bench.try(read("log", 0, 4))).toBe("0 1 2 3");
  expect(bench.disk.isMisreading).toBe(true);
  const outcome = bench.do(read("log", 8, 40));
  expect(outcome).toMatchObject({ ok: true, result: { bytes: { length: 40 } } });
  expect([bench.disk.isMisreading, bench.tally.effects.misdirectedRead]).toEqual([false, 1]);
  expect(bench.try(read("log", 8, 2))).toBe("8 9");
});

test("a failed write has not taken place, and the disk fails until it is mended", () => {
  const bench = new Bench();
  bench.store("log", fill(2, 1));
  bench.disk.fail("write");
  expect([bench.try(write("log", 0, fill(1, 2))), bench.try(write("log", 0, fill(1, 2)))]).toEqual(["EIO", "EIO"]);
  expect([bench.try(sync("log")), bench.try(read("log", 0, 2)), bench.disk.hasFailed]).toEqual(["done", "1 1", true]);
  bench.disk.mend();
  expect(bench.try(write("log", 0, fill(1, 2)))).toBe("done");
});

test("a failed sync takes pages away that were not synced, and the next one succeeds and brings none back", () => {
  const contents = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    const bench = new Bench(seed);
    bench.store("log", fill(2, 1));
    bench.do(write("log", 0, fill(1, 2)));
    bench.disk.fail("sync");
    expect(bench.try(sync("log"))).toBe("EIO");
    bench.disk.mend();
    const after = bench.try(read("log", 0, 2));
    expect(bench.try(sync("log"))).toBe("done");
    expect([bench.try(read("log", 0, 2)), bench.disk.durable("log")!.join(" ")]).toEqual([after, after]);
    contents.add(after);
  }
  expect([...contents].sort()).toEqual(["1 1", "2 1"]);
});

test("a full disk refuses what makes files grow, and nothing else", () => {
  const bench = new Bench();
  bench.store("log", fill(100, 1));
  bench.disk.limit(50, "fullDisk");
  expect(bench.try(write("log", 10, fill(90, 2)))).toBe("done");
  expect(bench.try(write("log", 100, fill(51, 2)))).toBe("ENOSPC");
  expect(bench.try({ type: "preallocate", file: "log", size: 151 })).toBe("ENOSPC");
  expect(bench.try({ type: "preallocate", file: "log", size: 150 })).toBe("done");
  expect(bench.tally.effects.fullDisk).toBe(2);
});

test("space comes back with files that are removed, or when there is more of it", () => {
  const bench = new Bench();
  bench.store("old", fill(100, 1));
  bench.store("log", fill(10, 1));
  bench.disk.limit(0, "fullDisks");
  expect(bench.try(write("log", 10, fill(1, 1)))).toBe("ENOSPC");
  bench.do({ type: "unlink", file: "old" });
  expect(bench.try(write("log", 10, fill(100, 1)))).toBe("done");
  expect(bench.try(write("log", 110, fill(1, 1)))).toBe("ENOSPC");
  bench.disk.unlimit();
  expect(bench.try(write("log", 110, fill(1, 1)))).toBe("done");
});

test("a hung disk answers nothing for as long as its process lives", () => {
  const bench = new Bench();
  bench.store("log", fill(1, 1));
  bench.disk.hang(1_000_000);
  expect(bench.disk.begin(0, sync("log")).doneAt).toBeGreaterThan(1_000_000);
  bench.disk.crash(null);
  expect(bench.disk.begin(0, sync("log")).doneAt).toBeLessThan(1_000_000);
  expect(bench.tally.effects.hungDisk).toBe(1);
});

test("a write may be performed in part when its process dies", () => {
  const lengths = new Set<number>();
  for (let seed = 1; seed <= 100; seed++) {
    const bench = new Bench(seed);
    bench.store("log", new Uint8Array(0));
    bench.disk.begin(0, write("log", 0, fill(3, 2)));
    bench.disk.crash(null);
    lengths.add(bench.disk.durableFile("log")!.size);
  }
  expect([...lengths].sort()).toEqual([0, 1, 2, 3]);
});

test("writes tear at the units of the medium", () => {
  const contents = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const bench = new Bench(seed);
    bench.store("log", fill(2 * BLOCK_SIZE, 1));
    bench.do(write("log", BLOCK_SIZE - SECTOR_SIZE - 1, fill(SECTOR_SIZE + 2, 2)));
    bench.disk.crash({ dropPercent: 0, tearPercent: 100, garblePercent: 0, unit: BLOCK_SIZE });
    const content = bench.disk.durable("log")!;
    contents.add([content[BLOCK_SIZE - SECTOR_SIZE - 1], content[BLOCK_SIZE - 1], content[BLOCK_SIZE]].join(" "));
  }
  expect([...contents].sort()).toEqual(["1 1 1", "1 1 2", "2 2 1", "2 2 2"]);
});

test("what befalls a fork of a disk befalls nobody else", () => {
  const bench = new Bench();
  bench.store("log", fill(2, 1));
  bench.do(write("log", 0, fill(1, 2)));
  bench.disk.begin(0, write("log", 1, fill(1, 3)));
  const fork = bench.disk.fork(new Chance(1), new Tally());
  fork.crash(DROP);
  expect(fork.durable("log")!.join(" ")).toBe("1 1");
  fork.perform(fork.begin(0, write("log", 0, fill(2, 9))));
  fork.perform(fork.begin(0, { type: "unlink", file: "log" }));
  expect([bench.try(read("log", 0, 2)), bench.disk.list()]).toEqual(["2 1", ["log"]]);
  bench.do(write("log", 0, fill(2, 4)));
  bench.do(sync("log"));
  expect([bench.disk.durable("log")!.join(" "), fork.durable("log")!.join(" ")]).toEqual(["4 4", "1 1"]);
});
