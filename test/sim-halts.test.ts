/** Processes that stop by themselves: each reason is explained by what was done to the node, or it is a bug. */
import { expect, test } from "vitest";
import type { HaltReason } from "../core/replica/boundary.ts";
import type { LogIndex, NodeId } from "../core/types.ts";
import { Chance } from "../sim/chance.ts";
import { SimulatedDisk } from "../sim/disk.ts";
import { type HaltedNode, type Remedy, remedyOf } from "../sim/halts.ts";
import { drawClock, NodeProcess } from "../sim/process.ts";
import { Tally } from "../sim/tally.ts";

interface Past {
  /** An operation failed with EIO, a read met damage, the disk is full, the state was changed, recovery is over. */
  readonly failed?: boolean;
  readonly metDamage?: boolean;
  readonly full?: boolean;
  readonly flipped?: boolean;
  readonly recovered?: boolean;
  readonly damaged?: boolean;
  readonly alone?: boolean;
  readonly member?: boolean;
}

function halted(past: Past): HaltedNode {
  const chance = new Chance(1);
  const disk = new SimulatedDisk({ accessUs: 1, syncUs: 1, isSteady: false }, chance, new Tally());
  const node = new NodeProcess("a" as NodeId, 0, disk, drawClock(chance.stream("clock").next(), 0), true, 1);
  disk.hasFailed = past.failed ?? false;
  disk.hasMetDamage = past.metDamage ?? false;
  if (past.full === true) disk.limit(0, "fullDisk");
  node.isFlipped = past.flipped ?? false;
  node.recovered = past.recovered ?? false;
  const { damaged = false, alone = false, member = true } = past;
  return { node, isDamaged: damaged, mayBeAlone: alone, isMember: member };
}

const index = 1 as LogIndex;
const EIO: HaltReason = { type: "disk", code: "EIO", file: "log", detail: "" };
const ENOSPC: HaltReason = { type: "disk", code: "ENOSPC", file: "log", detail: "" };
const corrupt: HaltReason = { type: "storage", fault: { type: "corrupt", file: "log", offset: 0, detail: "" } };
const quarantined: HaltReason = { type: "quarantined", index, detail: "" };
const memory: HaltReason = { type: "memory", detail: "" };
const divergence: HaltReason = { type: "divergence", index, detail: "" };

const CASES: readonly (readonly [string, HaltReason, Past, Remedy | null])[] = [
  ["a disk that has failed", EIO, { failed: true }, "restart"],
  ["a disk that has not failed", EIO, {}, null],
  ["no space, for a member", ENOSPC, { full: true }, null],
  ["no space, for one whom nobody knows yet", ENOSPC, { full: true, member: false }, "restart"],
  ["no space where there is some", ENOSPC, { member: false }, null],
  ["damage that is met while running", corrupt, { metDamage: true, recovered: true }, "restart"],
  ["damage that a start should get over", corrupt, { metDamage: true }, null],
  ["damage of the only voter", corrupt, { metDamage: true, alone: true }, "replaceDisk"],
  ["damage that nobody did", corrupt, { recovered: true, alone: true }, null],
  ["a quarantine with a reason", quarantined, { flipped: true }, "restart"],
  ["a quarantine of the wrong one", quarantined, {}, null],
  ["a changed state that an entry does not fit to", divergence, { flipped: true }, "restart"],
  ["a page in memory that was changed", memory, { flipped: true }, "restart"],
  ["a page in memory that changed by itself", memory, { damaged: true }, null],
  ["two states that differ by themselves", divergence, { damaged: true }, null],
];

test.each(CASES)("%s", (_name, reason, past, remedy) => {
  expect(remedyOf(halted(past), reason)).toBe(remedy);
});
