/**
 * Crash enumeration: a story is crashed before and after every single disk operation into every legal image, and each
 * is recovered. What was acknowledged is there, nothing contradicts what was ordered, no image is called corrupt;
 * recovery may crash too, and what it has reported survives any further crash.
 */
import { expect } from "vitest";
import type { DiskOrder } from "../core/storage/disk.ts";
import { SEGMENT_HEADER_SIZE } from "../core/storage/segment-file.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import { OPTIONS, StorageRun, bootstrapped, entry, hardState, order, restarted } from "./storage-run.ts";
import { type StorageTwin, TwinRun, foundIn } from "./storage-twin.ts";

/** Segments with room for 1024 bytes of records: every restart looks through it, and little runs cross them. */
export const SMALL = { ...OPTIONS, limits: { ...OPTIONS.limits, segmentBytes: SEGMENT_HEADER_SIZE + 1024 } };

/** How much was looked at: an enumeration of nothing proves nothing. */
export interface Tally {
  images: number;
  torn: number;
}

/**
 * Runs the story, crashing at every point. The story gives orders, and performs what it wants done in between; what
 * `prepare` does is done before, and crashes nowhere.
 */
export function enumerate(story: (run: TwinRun) => void, prepare: (run: TwinRun) => void = () => {}): Tally {
  const judge = new CrashJudge();
  let isPrepared = false;
  const observed = new (class extends TwinRun {
    override perform(): DiskOrder {
      const order = super.perform();
      if (isPrepared) judge.lookAt(this.run.disk, this.twin);
      return order;
    }
  })(bootstrapped(SMALL));
  prepare(observed);
  observed.settle();
  isPrepared = true;
  story(observed);
  observed.settle();
  expect(observed.run.fault).toBeNull();
  expect(observed.run.persisted).toEqual(observed.twin.orders.map(({ ticket }) => ticket));
  return judge.tally;
}

class CrashJudge {
  readonly tally: Tally = { images: 0, torn: 0 };
  /** What was judged before, and which of it was torn: most images differ in nothing from one of those. */
  private readonly judged = new Map<string, boolean>();

  lookAt(disk: MemoryDisk, twin: StorageTwin): void {
    const asked = `${twin.acts.length} acts, ${twin.acknowledged} and ${twin.stored.join()} acknowledged`;
    for (const image of disk.images()) {
      const key = `${image.digest()} ${asked}`;
      const isTorn = this.judged.get(key) ?? this.judgeImage(image, twin, asked);
      this.judged.set(key, isTorn);
      this.tally.images++;
      if (isTorn) this.tally.torn++;
    }
    this.judgeKill(disk, twin, asked);
  }

  /** Recovers the image, with a crash after each operation of the recovery too. True: a tail was torn. */
  private judgeImage(image: MemoryDisk, twin: StorageTwin, asked: string): boolean {
    const run = this.recover(image, twin, asked);
    const isTorn = run.recovered.tornBytes > 0;
    this.judgeReport(run);
    judgeGoingOn(run);
    return isTorn;
  }

  /** A start, with a loss of power after each of its operations too. */
  private recover(disk: MemoryDisk, twin: StorageTwin, asked: string): StorageRun {
    const run = new StorageRun(disk, SMALL).take((storage) => storage.start());
    run.settle(() => {
      if (run.last("Recovered") !== undefined) return;
      for (const again of disk.images()) {
        if (this.isNew(again, `while recovering, ${asked}`)) judgeState(restarted(again, SMALL), twin);
      }
    });
    judgeState(run, twin);
    return run;
  }

  /** The process is killed and what it wrote is still there; what its successor reports survives a loss of power. */
  private judgeKill(disk: MemoryDisk, twin: StorageTwin, asked: string): void {
    const run = this.recover(disk.killed(), twin, asked);
    expect(run.recovered.tornBytes, "nothing is torn that was written whole").toBe(0);
    this.judgeReport(run);
  }

  /** What was reported survives any further crash. */
  private judgeReport(run: StorageRun): void {
    const found = foundIn(run);
    const reported = JSON.stringify(found);
    for (const again of run.disk.images()) {
      if (!this.isNew(again, reported)) continue;
      const second = restarted(again, SMALL);
      expect(second.fault).toBeNull();
      expect(foundIn(second), "what was reported survives").toEqual(found);
      expect(second.recovered.tornBytes, "what was cut once is gone").toBe(0);
    }
  }

  private isNew(image: MemoryDisk, against: string): boolean {
    const key = `${image.digest()} ${against}`;
    const isNew = !this.judged.has(key);
    this.judged.set(key, false);
    return isNew;
  }
}

function judgeState(run: StorageRun, twin: StorageTwin): void {
  expect(run.fault).toBeNull();
  expect(twin.judge(foundIn(run))).toBeNull();
}

/** The recovered node takes further orders, and they last. */
function judgeGoingOn(run: StorageRun): void {
  const next = run.recovered.log.last.index + 1;
  const entries = [entry(9, next, new Uint8Array(40).fill(7))];
  run.persist(order(1, { hardState: hardState(9, null), entries })).settle();
  expect(run.persisted).toEqual([1]);
  expect(restarted(run.disk, SMALL).recovered.log.last).toEqual({ term: 9, index: next });
}
