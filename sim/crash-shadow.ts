/**
 * The crash shadow in full (rule 24): while a node vouches for something, copies of its disk crash in every way that a
 * disk may, and the product's own recovery has to make of each of them a state that vouches for the same. So "answered
 * before it was durable" is found without a crash in the right microsecond; and so is a recovery that cannot stand what
 * it finds. The node itself feels nothing of it.
 *
 * The images: all that was not synced is gone; all of it is there; all is torn; changes of the directory undone though
 * the writes are kept, and the other way round; and a few by chance. Some recoveries are themselves cut short by
 * another crash: then the next one has to get over that, too.
 */
import { invariant } from "../core/invariant.ts";
import { RollingChecksum } from "../core/pages/rolling-checksum.ts";
import type { Recovered, StorageEffect, StorageFault, StorageLimits } from "../core/storage/boundary.ts";
import type { DiskOrder } from "../core/storage/disk.ts";
import { Storage } from "../core/storage/storage.ts";
import type { NodeId } from "../core/types.ts";
import { Chance, type Dice } from "./chance.ts";
import type { SimulatedDisk } from "./disk.ts";
import { BLOCK_SIZE, type PowerLoss, SECTOR_SIZE } from "./power-loss.ts";
import { Tally } from "./tally.ts";

/** How a copy crashes. */
interface Fate {
  readonly name: string;
  readonly loss: PowerLoss;
  /** Of a hundred changes of the directory that were not synced: how many are undone. */
  readonly undonePercent: number;
}

/** What a start made of an image. */
export type ImageOutcome =
  | { readonly type: "recovered"; readonly recovered: Recovered; readonly restored: string | null }
  | { readonly type: "failed"; readonly fault: StorageFault };

export interface CrashImage {
  readonly fate: string;
  readonly outcome: ImageOutcome;
}

const KEEP: PowerLoss = { dropPercent: 0, tearPercent: 0, garblePercent: 0, unit: SECTOR_SIZE };
const DROP: PowerLoss = { ...KEEP, dropPercent: 100 };
const TEAR: PowerLoss = { ...KEEP, tearPercent: 100, garblePercent: 30 };
const MIX: PowerLoss = { ...KEEP, dropPercent: 33, tearPercent: 33, garblePercent: 30 };

const FATES: readonly Fate[] = [
  { name: "all dropped", loss: DROP, undonePercent: 100 },
  { name: "all kept", loss: KEEP, undonePercent: 0 },
  { name: "writes kept, directory undone", loss: KEEP, undonePercent: 100 },
  { name: "writes dropped, directory kept", loss: DROP, undonePercent: 0 },
  { name: "all torn", loss: TEAR, undonePercent: 50 },
  { name: "all torn by blocks", loss: { ...TEAR, unit: BLOCK_SIZE }, undonePercent: 50 },
  { name: "by chance", loss: MIX, undonePercent: 50 },
  { name: "by chance", loss: { ...MIX, unit: BLOCK_SIZE }, undonePercent: 50 },
];
/** A recovery that is cut short has done at most so many operations. */
const MAX_OPERATIONS_BEFORE_CRASH = 24;

export class CrashShadow {
  private readonly limits: StorageLimits;
  /** What befalls the copies is no fault of the run. */
  private readonly tally = new Tally();

  constructor(limits: StorageLimits) {
    this.limits = limits;
  }

  /** One after the other, so that whoever judges may stop. */
  *imagesOf(node: NodeId, disk: SimulatedDisk, dice: Dice): Generator<CrashImage, void> {
    for (const fate of FATES) {
      const image = disk.fork(new Chance(dice.u32()), this.tally);
      image.crash(fate.loss, fate.undonePercent);
      let { name } = fate;
      if (dice.oneIn(3)) {
        new Start(node, image, this.limits).run(dice.integer(0, MAX_OPERATIONS_BEFORE_CRASH));
        image.crash(dice.pick([DROP, KEEP, TEAR, MIX]));
        name += ", and again while it was recovered";
      }
      const outcome = new Start(node, image, this.limits).run(Infinity);
      invariant(outcome !== null, "a recovery that nothing cuts short ends");
      yield { fate: name, outcome };
    }
  }
}

/** A process that starts over an image, and reads its state back. */
class Start {
  private readonly storage: Storage;
  private readonly disk: SimulatedDisk;
  private readonly orders: DiskOrder[] = [];
  private recovered: Recovered | null = null;
  private restored: string | null = null;
  private isRestoring = false;
  private readonly pages = new RollingChecksum();
  private pageCount = 0;
  private fault: StorageFault | null = null;

  constructor(node: NodeId, disk: SimulatedDisk, limits: StorageLimits) {
    this.disk = disk;
    this.storage = new Storage({ node, limits });
  }

  /** null: it has been cut short. */
  run(maxOperations: number): ImageOutcome | null {
    this.take(this.storage.start());
    for (let count = 0; this.fault === null; count++) {
      if (this.recovered !== null && !this.isRestoring) break;
      if (count >= maxOperations) return null;
      this.perform();
    }
    if (this.fault !== null) return { type: "failed", fault: this.fault };
    invariant(this.recovered !== null, "a start recovers, or fails");
    return { type: "recovered", recovered: this.recovered, restored: this.restored };
  }

  private perform(): void {
    const order = this.orders.shift();
    invariant(order !== undefined, "a start goes on until it is over");
    const { ticket, operation } = order;
    const outcome = this.disk.perform(this.disk.begin(0, operation));
    this.take(this.storage.answered(
      outcome.ok ? { type: "DiskDone", ticket, result: outcome.result }
        : { type: "DiskFailed", ticket, failure: outcome.failure },
    ));
  }

  private take(effects: readonly StorageEffect[]): void {
    for (const effect of effects) this.obey(effect);
  }

  private obey(effect: StorageEffect): void {
    switch (effect.type) {
      case "Disk":
        this.orders.push(effect);
        return;
      case "Failed":
        this.fault = effect.fault;
        return;
      case "Recovered":
        this.recovered = effect.recovered;
        if (effect.recovered.snapshot === null) return;
        this.isRestoring = true;
        return this.take(this.storage.restore(effect.recovered.snapshot));
      case "RestoreStarted":
        this.pageCount = effect.pageCount;
        return;
      case "PagesRestored":
        for (const { number, crc } of effect.pages) this.pages.set(number, crc);
        return;
      case "RestoreFinished":
        this.isRestoring = false;
        if (this.pages.value(this.pageCount) === effect.checksum) return;
        this.restored = "its pages are not those of its checksum";
        return;
      case "SnapshotDamaged":
        this.isRestoring = false;
        this.restored = `it is damaged: ${JSON.stringify(effect.fault)}`;
        return;
      default:
        return;
    }
  }
}
