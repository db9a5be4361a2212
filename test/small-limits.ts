/** Limits with which little work makes many files: segments that are full soon, snapshots and merges all the time. */
import type { Tuning } from "../cli/node.ts";

const KIB = 1024;

export const SMALL_LIMITS: Tuning = {
  limits: {
    snapshotBytes: 256 * KIB, snapshotEntries: 40, maxTrailingEntries: 20, maxTrailingBytes: 64 * KIB,
    snapshotChunkBytes: 32 * KIB,
  },
  storage: {
    segmentBytes: 128 * KIB, maxWriteBytes: 64 * KIB, maxLogBytes: 2048 * KIB, reserveBytes: 128 * KIB,
    scrubBytes: 64 * KIB, tickMs: 100,
  },
};
