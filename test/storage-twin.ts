/**
 * The dumb twin of storage: a list of what was asked of it and how much of that was acknowledged. It says which states
 * a restart may find after a crash: everything acknowledged, then any number of the parts that were on their way, in
 * their order.
 */
import type { SnapshotPoint } from "../core/raft/message.ts";
import type { PersistOrder } from "../core/storage/boundary.ts";
import type { DiskOrder } from "../core/storage/disk.ts";
import { INITIAL_HARD_STATE } from "../core/storage/term-file.ts";
import { type Entry, type EntryId, type HardState, NO_ENTRY, sameEntry } from "../core/types.ts";
import type { StorageRun } from "./storage-run.ts";
import { databaseAt, pointAt, restoreSnapshot, storeSnapshot } from "./storage-snapshots.ts";

/** What the log holds, a word an entry: easy to compare, easy to read. */
export type LogWords = readonly string[];

/** What is found on a disk. */
export interface Found {
  readonly hardState: HardState;
  readonly base: EntryId;
  /** Of the entries behind the base. */
  readonly log: LogWords;
  /** null: there is none. */
  readonly snapshot: SnapshotPoint | null;
}

/** What was asked for. */
type Act =
  | { readonly type: "persist"; readonly order: PersistOrder }
  | { readonly type: "store"; readonly snapshot: SnapshotPoint }
  | { readonly type: "compact"; readonly through: EntryId };

/** What the log was at one moment. */
interface LogState {
  /** As long as nothing is compacted. */
  readonly base: EntryId;
  readonly log: LogWords;
  /** How many orders have been begun, and how many of them are done. */
  readonly begun: number;
  readonly done: number;
  /** The last snapshot that was installed, null: none. */
  readonly installed: SnapshotPoint | null;
}

export function wordOf(entry: Entry): string {
  return `${entry.term}/${entry.index} ${entry.kind} ${entry.payload.length}:${sumOf(entry.payload)}`;
}

/** Tells payloads apart that a test may mistake for each other. */
function sumOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => (Math.imul(sum, 31) + byte) >>> 0, 7);
}

export class StorageTwin {
  readonly acts: Act[] = [];
  /** How many of the orders among them were answered by Persisted. */
  acknowledged = 0;
  /** Of the snapshots to be stored that have ended, whether each is in force. */
  stored: readonly boolean[] = [];
  /** What stood before the first act. */
  private readonly initial: Found;

  constructor(initial: Found = { hardState: INITIAL_HARD_STATE, base: NO_ENTRY, log: [], snapshot: null }) {
    this.initial = initial;
  }

  get orders(): readonly PersistOrder[] {
    return this.acts.flatMap((act) => (act.type === "persist" ? [act.order] : []));
  }

  /** How many snapshots were to be stored. */
  get stores(): number {
    return this.acts.filter(({ type }) => type === "store").length;
  }

  /** null: a restart may find this; otherwise what is wrong with it. */
  judge(found: Found): string | null {
    const what = `found ${JSON.stringify(found)}`;
    const logs = this.logs().filter((state) => this.mayBe(state, found));
    if (logs.length === 0) return `${what}: no log that the ${this.acknowledged} acknowledged orders allow`;
    const snapshots = logs.filter((state) => this.maySnapshot(state, found.snapshot));
    if (snapshots.length === 0) return `${what}: another snapshot than log and acknowledgements allow`;
    const hardStates = snapshots.flatMap(({ begun }) => this.hardStates(begun));
    const fits = hardStates.some((one) => sameHardState(one, found.hardState));
    return fits ? null : `${what}: a hard state older than the log or the acknowledged orders`;
  }

  /** The acts that come into effect only once so many orders are done: those of a kind. */
  private actsBehind<T extends Act["type"]>(done: number, type: T): Extract<Act, { readonly type: T }>[] {
    const found: Extract<Act, { readonly type: T }>[] = [];
    let orders = 0;
    for (const act of this.acts) {
      if (act.type === type && orders <= done) found.push(act as Extract<Act, { readonly type: T }>);
      if (act.type === "persist") orders++;
    }
    return found;
  }

  /** Whether the log found is this one, perhaps compacted: as far as segments end, not farther than was said. */
  private mayBe({ base, log, done }: LogState, found: Found): boolean {
    const bases = this.actsBehind(done, "compact").map(({ through }) => through.index);
    if (found.base.index < base.index || found.base.index > Math.max(base.index, ...bases)) return false;
    if (found.base.index === base.index && !sameEntry(base, found.base)) return false;
    const cut = found.base.index - base.index;
    if (cut > 0 && !(log[cut - 1] ?? "").startsWith(`${found.base.term}/${found.base.index} `)) return false;
    return log.slice(cut).join() === found.log.join();
  }

  /** Whether this snapshot may stand beside the log. */
  private maySnapshot({ done, installed }: LogState, found: SnapshotPoint | null): boolean {
    const stored = this.actsBehind(done, "store").map(({ snapshot }) => snapshot);
    // One that is acknowledged is there, or a newer one.
    const sure = [installed, ...stored.filter((_, at) => this.stored[at] === true)];
    const least = sure.reduce((index, one) => Math.max(index, indexOf(one)), 0);
    if (indexOf(found) < least) return false;
    return [installed, ...stored].some((one) => indexOf(one) === indexOf(found));
  }

  /** The hard states that may stand beside a log of which so many orders have been begun. */
  private hardStates(begun: number): HardState[] {
    const states: HardState[] = [];
    const { orders } = this;
    for (let count = Math.max(begun, this.acknowledged); count <= orders.length; count++) {
      const newest = orders.slice(0, count).findLast((order) => order.hardState !== null);
      states.push(newest?.hardState ?? this.initial.hardState);
    }
    return states;
  }

  /** The log after everything acknowledged, then after each further step. */
  private logs(): LogState[] {
    let { base, log } = this.initial;
    let installed = this.initial.snapshot;
    const states: LogState[] = [{ base, log, begun: 0, done: 0, installed }];
    for (const [at, { snapshot, truncateTo, entries }] of this.orders.entries()) {
      const note = (done = at): number => states.push({ base, log, begun: at + 1, done, installed });
      if (snapshot !== null) {
        const { term, index } = snapshot.entry;
        const isHeld = sameEntry(snapshot.entry, base) || (log[index - base.index - 1] ?? "").startsWith(`${term}/`);
        if (!isHeld) [base, log] = [snapshot.entry, []];
        installed = snapshot;
        note();
      }
      if (truncateTo !== null) {
        log = log.slice(0, truncateTo - base.index);
        note();
      }
      for (const entry of entries) {
        log = [...log, wordOf(entry)];
        note();
      }
      note(at + 1);
    }
    return states.filter(({ begun, done }) => done >= this.acknowledged || begun > this.acknowledged);
  }
}

function indexOf(snapshot: SnapshotPoint | null): number {
  return snapshot?.entry.index ?? 0;
}

function sameHardState(a: HardState, b: HardState): boolean {
  return a.currentTerm === b.currentTerm && a.votedFor === b.votedFor;
}

/** A run and its twin: everything asked of one is asked of both. */
export class TwinRun {
  readonly run: StorageRun;
  readonly twin: StorageTwin;

  constructor(run: StorageRun, twin = new StorageTwin()) {
    this.run = run;
    this.twin = twin;
  }

  persist(order: PersistOrder): this {
    this.twin.acts.push({ type: "persist", order });
    this.run.persist(order);
    return this.note();
  }

  store(entry: EntryId): this {
    this.twin.acts.push({ type: "store", snapshot: pointAt(entry) });
    storeSnapshot(this.run, entry);
    return this.note();
  }

  compact(through: EntryId): this {
    this.twin.acts.push({ type: "compact", through });
    this.run.compact(through.term, through.index);
    return this.note();
  }

  perform(at = 0): DiskOrder {
    const order = this.run.perform(at);
    this.note();
    return order;
  }

  /** Performs everything. */
  settle(): this {
    while (this.run.orders.length > 0) this.perform();
    return this;
  }

  private note(): this {
    this.twin.acknowledged = this.run.persisted.length;
    this.twin.stored = this.run.news.flatMap((news) => (news.type === "CutEnded" ? [news.isStored] : []));
    return this;
  }
}

export function logOf(run: StorageRun): LogWords {
  return run.readAll().map(wordOf);
}

/** What a recovered node has; its snapshot is read back and compared with what it has to contain. */
export function foundIn(run: StorageRun): Found {
  const { hardState, log, snapshot } = run.recovered;
  if (snapshot !== null && `${restoreSnapshot(run, snapshot)}` !== `${databaseAt(snapshot.entry)}`) {
    throw new Error("a snapshot with other bytes");
  }
  // In which files it is written down may differ: they may have been merged.
  const point = snapshot === null ? null : { entry: snapshot.entry, configuration: snapshot.configuration };
  return { hardState, base: log.base, log: logOf(run), snapshot: point };
}
