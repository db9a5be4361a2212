/**
 * The files of pages that a directory has, and which of them are the stored snapshot. A snapshot is a list of files
 * that never change; another one takes its place as a whole (publication.ts). A file is removed only once neither the
 * snapshot in force has it nor one that somebody still reads: that is the one law of this file.
 */
import { invariant } from "../invariant.ts";
import type { SnapshotId } from "../raft/message.ts";
import { type EntryId, sameEntry } from "../types.ts";
import type { StorageFault } from "./boundary.ts";
import type { DiskProcedure } from "./file-window.ts";
import { type SnapshotState, preparedManifestSize } from "./manifest.ts";
import { DIRECTORY_ENTRY_SIZE, type PageFile, pageFileName, placeOf } from "./page-file.ts";
import type { PageDamage } from "./page-run.ts";
import { encodeStreamHead, snapshotIdOf } from "./snapshot-stream.ts";

/** A snapshot whose files are all here, whole and durable. */
export class StoredSnapshot {
  readonly state: SnapshotState;
  /** Oldest first. */
  readonly files: readonly PageFile[];
  /** Of its stream. */
  readonly head: Uint8Array;
  readonly id: SnapshotId;
  /** Of a manifest with one file more. */
  readonly nextManifestSize: number;

  constructor(state: SnapshotState, files: readonly PageFile[]) {
    this.state = state;
    this.files = files;
    this.head = encodeStreamHead(this);
    this.id = snapshotIdOf(this, this.head);
    this.nextManifestSize = preparedManifestSize(state.configuration, files.length + 1);
  }

  /** Whether the page of this number, which the file at a place of `files` has, is the one that counts: the newest. */
  counts(at: number, number: number): boolean {
    if (number > this.state.pageCount) return false;
    for (let newer = at + 1; newer < this.files.length; newer++) {
      if (placeOf(this.files[newer]!, number) !== null) return false;
    }
    return true;
  }

  /** Where the page that counts stands; null: it is absent. */
  locate(number: number): { readonly file: PageFile; readonly place: number } | null {
    if (number > this.state.pageCount) return null;
    for (let at = this.files.length - 1; at >= 0; at--) {
      const file = this.files[at]!;
      const place = placeOf(file, number);
      if (place !== null) return { file, place };
    }
    return null;
  }
}

/** Damage, and what is to be done about it. */
export interface PageFault {
  readonly fault: StorageFault;
  /** The pages that have to be written again; empty: what is damaged is not needed any more, or memory has it. */
  readonly numbers: readonly number[];
}

/** What a PageSet is part of, as procedures see it. */
export interface PageFiles {
  readonly pages: PageSet;
}

export class PageSet {
  /** Of the manifest, as it was recovered: it has been mended, or will be with the next. */
  readonly damage: readonly StorageFault[];
  private current: StoredSnapshot | null;
  /** Which snapshots are read by somebody, and by how many. */
  private readonly held = new Map<StoredSnapshot, number>();
  /** What was pinned, as often as it was. Two may be of one stream: who releases one lets go of what it had pinned. */
  private readonly pinned: StoredSnapshot[] = [];
  /** The files that bear a name, by their sequence. */
  private readonly named: Set<number>;
  /** Pages that were found damaged, by the sequence of their file. */
  private readonly damaged = new Map<number, Set<number>>();
  /** Files whose header or directory is damaged: memory has it. */
  private readonly damagedHeads = new Set<number>();
  private nextSequence: number;
  /** How many manifests have been ordered to take the place of another: who reads that file has to know. */
  private publications = 0;

  /** @param named the sequences of all files of pages that there are */
  constructor(
    current: StoredSnapshot | null, named: readonly number[], nextSequence: number,
    damage: readonly StorageFault[] = [],
  ) {
    this.current = current;
    this.named = new Set(named);
    this.nextSequence = nextSequence;
    this.damage = damage;
  }

  /** Of a directory without files of pages, or whose sequences are all below the next one. */
  static empty(nextSequence = 1): PageSet {
    return new PageSet(null, [], nextSequence);
  }

  /** The snapshot in force; null: there is none. */
  get stored(): StoredSnapshot | null {
    return this.current;
  }

  get snapshot(): SnapshotId | null {
    return this.current?.id ?? null;
  }

  /** One that is in force, or still read by somebody; null: it is neither. */
  find(snapshot: SnapshotId): StoredSnapshot | null {
    return this.readable().find(({ id }) => isSameStream(id, snapshot)) ?? null;
  }

  private readable(): StoredSnapshot[] {
    return [...(this.current === null ? [] : [this.current]), ...this.held.keys()];
  }

  /** Keeps its files until it is released, as often as it was pinned. One that is gone stays so. */
  pin(snapshot: SnapshotId): void {
    const stored = this.find(snapshot);
    if (stored === null) return;
    this.hold(stored);
    this.pinned.push(stored);
  }

  release(snapshot: SnapshotId): void {
    const at = this.pinned.findIndex(({ id }) => isSameStream(id, snapshot));
    if (at >= 0) this.letGo(this.pinned.splice(at, 1)[0]!);
  }

  hold(stored: StoredSnapshot): void {
    this.held.set(stored, (this.held.get(stored) ?? 0) + 1);
  }

  letGo(stored: StoredSnapshot): void {
    const count = this.held.get(stored);
    invariant(count !== undefined, "only what is held is let go");
    if (count === 1) this.held.delete(stored);
    else this.held.set(stored, count - 1);
  }

  /** The number of a new file: no other ever had it in this directory, as far as can be known. */
  takeSequence(): number {
    return this.nextSequence++;
  }

  get publicationsBegun(): number {
    return this.publications;
  }

  /** The file `manifest` is about to be another one. */
  beginPublication(): void {
    this.publications++;
  }

  /** Its manifest is durable: it is in force. */
  put(stored: StoredSnapshot): void {
    const before = this.current?.state.entry ?? null;
    invariant(before === null || isAtLeast(stored.state.entry, before), "the entry of the manifest never falls");
    this.current = stored;
    for (const { sequence } of stored.files) this.named.add(sequence);
  }

  /** Whether there are files that nobody refers to. */
  get hasUnused(): boolean {
    return this.unused().length > 0;
  }

  private unused(): number[] {
    const used = new Set<number>();
    for (const { files } of this.readable()) for (const { sequence } of files) used.add(sequence);
    return [...this.named].filter((sequence) => !used.has(sequence));
  }

  /** A file that nobody refers to; from now on it is none of the set. null: there is no such file. */
  takeUnused(): number | null {
    const sequence = this.unused()[0];
    if (sequence === undefined) return null;
    this.named.delete(sequence);
    this.damaged.delete(sequence);
    this.damagedHeads.delete(sequence);
    return sequence;
  }

  // Damage

  /** Remembers it, and says which of the pages have to be written again: those that count in the snapshot in force. */
  noteDamage(damage: readonly PageDamage[]): PageFault[] {
    for (const { file: { sequence }, number } of damage) {
      const numbers = this.damaged.get(sequence) ?? new Set();
      this.damaged.set(sequence, numbers.add(number));
    }
    return damage.map(({ fault, file, number }) => ({ fault, numbers: this.counts(file, number) ? [number] : [] }));
  }

  /** The file's header or directory is damaged. */
  noteDamagedHead({ sequence }: PageFile): void {
    this.damagedHeads.add(sequence);
  }

  /** Whether a page of the file is damaged that counts: the file cannot be merged before it is written again. */
  isMergeable(file: PageFile): boolean {
    return ![...(this.damaged.get(file.sequence) ?? [])].some((number) => this.counts(file, number));
  }

  /** Whether something in the file is damaged, so that it should not be kept. */
  isDamaged({ sequence }: PageFile): boolean {
    return this.damagedHeads.has(sequence) || this.damaged.has(sequence);
  }

  /** Of the pages that have to be written again: the next checkpoint is larger by so much. */
  get damagedBytes(): number {
    const { stored } = this;
    if (stored === null || this.damaged.size === 0) return 0;
    let count = 0;
    for (const file of stored.files) {
      for (const number of this.damaged.get(file.sequence) ?? []) if (this.counts(file, number)) count++;
    }
    return count * (stored.state.pageSize + DIRECTORY_ENTRY_SIZE);
  }

  private counts(file: PageFile, number: number): boolean {
    return this.current?.locate(number)?.file === file;
  }
}

/** Removes the files that nobody refers to. */
export function* removeUnused({ pages }: PageFiles): DiskProcedure<null> {
  for (let unused = pages.takeUnused(); unused !== null; unused = pages.takeUnused()) {
    yield { type: "unlink", file: pageFileName(unused) };
  }
  return null;
}

export function isSameStream(a: SnapshotId, b: SnapshotId): boolean {
  return sameEntry(a.entry, b.entry) && a.size === b.size && a.checksum === b.checksum;
}

function isAtLeast(a: EntryId, b: EntryId): boolean {
  return a.index > b.index || sameEntry(a, b);
}

