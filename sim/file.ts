/**
 * One file of a simulated disk: what programs read (the page cache) beside what a loss of power would leave (the
 * platter).
 *
 * The hard idea: a write goes to the cache at once, and to the platter at the next sync. What lies between is a list,
 * so that a loss of power can keep, drop or tear each of its writes, in any combination. Bytes that were synced and
 * not written since are touched by nothing but `rot`, `spoil` and `misdirect`: so it is written down where they are
 * damaged (damage.ts).
 */
import { invariant } from "../core/invariant.ts";
import type { Random } from "../core/random.ts";
import { Damage } from "./damage.ts";
import { Image } from "./image.ts";
import { type PowerLoss, SECTOR_SIZE, settleWrite, type Write } from "./power-loss.ts";
import type { Tally } from "./tally.ts";

/** A write of the last sync, and what it took the place of. */
interface SyncedWrite extends Write {
  readonly before: Uint8Array;
}

export class SimulatedFile {
  damage = new Damage();
  private cache = new Image();
  private platter = new Image();
  private unsynced: Write[] = [];
  /** null: nobody wants to know, or it has been overwritten. */
  private lastSynced: SyncedWrite | null = null;
  private readonly remembersWrites: boolean;
  /** A loss of power keeps or drops writes to it, and tears none. */
  private tearsNever = false;

  /** `remembersWrites`: writes may be misdirected. */
  constructor(remembersWrites = false) {
    this.remembersWrites = remembersWrites;
  }

  get size(): number {
    return this.cache.size;
  }

  get durableSize(): number {
    return this.platter.size;
  }

  get hasUnsynced(): boolean {
    return this.unsynced.length > 0;
  }

  /** A write that has become durable and may yet turn out to have gone elsewhere; null: there is none. */
  get misdirectable(): Write | null {
    return this.lastSynced;
  }

  write(offset: number, bytes: Uint8Array): void {
    this.cache.write(offset, bytes);
    // Copied: it may yet turn out to have gone elsewhere, when its writer has the bytes back.
    this.unsynced.push({ offset, bytes: bytes.slice() });
    this.forgetSynced(offset, offset + bytes.length);
    if (!this.damage.isNone) this.damage.cover(offset, offset + bytes.length);
  }

  read(offset: number, length: number): Uint8Array {
    return this.cache.read(offset, length);
  }

  /** What any loss of power would leave. Not copied; zeros at the end may be missing. */
  durable(): Uint8Array {
    return this.platter.stored();
  }

  sync(random: Random): void {
    const writes = this.unsynced;
    if (this.remembersWrites && writes.length > 0) {
      const { offset, bytes } = random.pick(writes);
      this.lastSynced = { offset, bytes, before: this.platter.read(offset, bytes.length) };
    }
    for (const { offset, bytes } of writes) this.settle(offset, bytes, 0, bytes.length);
    this.unsynced = [];
    // Of several writes to one place the last one stands there.
    if (this.lastSynced !== null && !this.platter.holds(this.lastSynced.offset, this.lastSynced.bytes)) {
      this.lastSynced = null;
    }
  }

  preallocate(size: number): void {
    this.cache.size = Math.max(this.cache.size, size);
    this.platter.size = Math.max(this.platter.size, size);
  }

  /** What was not synced meets its fate; the cache is that of the platter. How many writes are not as they were. */
  losePower(loss: PowerLoss, random: Random, tally: Tally): number {
    let hurt = 0;
    const written = this.unsynced;
    this.unsynced = [];
    const fate = this.tearsNever ? { ...loss, tearPercent: 0 } : loss;
    for (const write of written) {
      const isKept = settleWrite(write, fate, random, tally, this.platter, (bytes, from, end) => {
        this.settle(write.offset, bytes, from, end);
      });
      if (!isKept) hurt++;
    }
    this.damage.uncover();
    this.cache.copyFrom(this.platter);
    return hurt;
  }

  // Damage.

  /** Durable bits flip. */
  rot(offset: number, mask: number, isVital: boolean): void {
    invariant(offset < this.platter.size && mask > 0 && mask < 256, "a bit that is there flips");
    const [byte = 0] = this.platter.read(offset, 1);
    this.platter.write(offset, Uint8Array.of(byte ^ mask));
    this.damage.add("bitRot", offset, offset + 1, isVital);
    this.refresh();
  }

  /**
   * Sectors cannot be read any more, until they are overwritten.
   *
   * @param hasTwins what they hold stands here twice: a write of both that is torn may not take the other one away
   */
  spoil(sector: number, count: number, isVital: boolean, hasTwins = false): void {
    this.tearsNever ||= hasTwins;
    const [from, end] = [sector * SECTOR_SIZE, (sector + count) * SECTOR_SIZE];
    this.damage.add("latentError", from, end, isVital);
    this.refresh();
  }

  /**
   * The write that was synced last has hit another place instead, of this file or of another: its own holds what it
   * held before.
   */
  misdirect(target: SimulatedFile, offset: number): void {
    const { lastSynced } = this;
    invariant(lastSynced !== null, "only a write that was synced has gone elsewhere");
    const { bytes, before, offset: meant } = lastSynced;
    this.lastSynced = null;
    const held = new Uint8Array(bytes.length);
    held.set(before);
    this.platter.write(meant, held);
    this.damage.add("misdirectedWrite", meant, meant + bytes.length, true);
    const fitting = bytes.subarray(0, Math.max(0, target.platter.size - offset));
    target.platter.write(offset, fitting);
    target.damage.add("misdirectedWrite", offset, offset + fitting.length, true);
    this.refresh();
    if (target !== this) target.refresh();
  }

  /** As it is now, for somebody who may do with it what he likes. */
  fork(): SimulatedFile {
    const fork = new SimulatedFile();
    fork.cache = this.cache.fork();
    fork.platter = this.platter.fork();
    fork.unsynced = [...this.unsynced];
    fork.damage = this.damage.fork();
    fork.tearsNever = this.tearsNever;
    return fork;
  }

  private settle(offset: number, bytes: Uint8Array, from: number, end: number): void {
    this.platter.write(offset, bytes, from, end);
    if (!this.damage.isNone) this.damage.overwrite(offset + from, offset + end);
  }

  /** What is in the cache and was synced has to be read again. */
  private refresh(): void {
    const { size } = this.cache;
    this.cache.copyFrom(this.platter);
    for (const { offset, bytes } of this.unsynced) this.cache.write(offset, bytes);
    this.cache.size = Math.max(this.cache.size, size);
  }

  private forgetSynced(from: number, end: number): void {
    const { lastSynced } = this;
    if (lastSynced === null || end <= lastSynced.offset || lastSynced.offset + lastSynced.bytes.length <= from) return;
    this.lastSynced = null;
  }
}
