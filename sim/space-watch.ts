/**
 * Watches the promise of the reserve (core/storage/reserve.ts) from outside, by what disks are asked and answer: from
 * the time when it is given up for a checkpoint, that checkpoint finds room.
 */
import { isWantOfSpace } from "../core/storage/disk-failure.ts";
import type { DiskOperation } from "../core/storage/disk.ts";
import { RESERVE_FILE } from "../core/storage/log-space.ts";
import { MANIFEST_FILE } from "../core/storage/manifest.ts";
import type { DiskOutcome } from "./disk-outcome.ts";
import type { NodeProcess } from "./process.ts";
import type { Tally } from "./tally.ts";

export const NO_ROOM = "the reserve was given up for a checkpoint, and that found no room";

/** A reserve that has been given up. */
interface Lent {
  readonly life: number;
  /** How often the disk had been limited: whoever limits it once more takes the room away. */
  readonly timesLimited: number;
}

export class SpaceWatch {
  private readonly tally: Tally;
  private readonly lent = new Map<NodeProcess, Lent>();

  constructor(tally: Tally) {
    this.tally = tally;
  }

  /** An operation of a running node has taken effect, or has failed. Whether it may. */
  allows(node: NodeProcess, operation: DiskOperation, outcome: DiskOutcome): boolean {
    if (!outcome.ok) return !isWantOfSpace(outcome.failure) || !isOfCheckpoint(operation) || !this.isLent(node);
    const { life, disk: { timesLimited } } = node;
    if (operation.type === "unlink" && operation.file === RESERVE_FILE) this.lent.set(node, { life, timesLimited });
    else if (operation.type === "rename" && operation.to === MANIFEST_FILE && this.isLent(node)) {
      this.tally.mark("checkpointsInReserve");
      this.lent.delete(node);
    } else if (endsLoan(operation)) this.lent.delete(node);
    return true;
  }

  private isLent(node: NodeProcess): boolean {
    const lent = this.lent.get(node);
    return lent !== undefined && lent.life === node.life && lent.timesLimited === node.disk.timesLimited;
  }
}

function isOfCheckpoint(operation: DiskOperation): boolean {
  return "file" in operation && /^(pages|manifest)-.*\.new$/.test(operation.file);
}

/** It was given up for a segment; or the checkpoint is not wanted any more. */
function endsLoan(operation: DiskOperation): boolean {
  if (operation.type === "unlink") return operation.file.startsWith(`${MANIFEST_FILE}-`);
  return operation.type === "open" && operation.create && !/^(pages|manifest)-/.test(operation.file);
}
