/**
 * What always holds of storage, and what holds from one step to the next: run after every step, in tests, in the
 * simulator and in production.
 */
import { invariant } from "../invariant.ts";
import { type EntryId, type HardState, type LogIndex, type Ticket, sameEntry } from "../types.ts";
import type { Mark } from "./record.ts";

/** Storage of a member of a cluster, as its laws see it. */
export interface StorageState {
  /** What the log begins behind. */
  readonly base: EntryId;
  /** Position at which the next record goes. */
  readonly end: number;
  /** Everything in the log below this position is durable. */
  readonly synced: number;
  /** The position behind the last one of the segment that is written. */
  readonly allocated: number;
  /** The highest mark that a record carries. */
  readonly marked: Mark;
  /** The last entry written or being written. */
  readonly last: EntryId;
  /** The last entry that is durable and not truncated. */
  readonly durableIndex: LogIndex;
  /** Of the durable hard state. */
  readonly generation: number;
  readonly hardState: HardState;
  /** What the disk may have acknowledged and no longer has; null: nothing. */
  readonly lost: EntryId | null;
  readonly isQuarantined: boolean;
  /** Whether this node may be the only voter. */
  readonly mayVoteAlone: boolean;
  /** Of which entry the stored snapshot is; null: there is none. */
  readonly snapshot: EntryId | null;
  readonly lastOrdered: Ticket;
  /** The last order reported to be durable. */
  readonly lastPersisted: Ticket;
}

export function checkStorage(state: StorageState): void {
  invariant(state.synced <= state.end, "only what was written is durable");
  invariant(state.end <= state.allocated, "space is taken before it is needed, and a group lies in one segment");
  invariant(state.marked.through <= state.synced, "a mark vouches only for what is durable");
  invariant(state.marked.generation <= state.generation, "a mark knows only a durable hard state");
  invariant(state.base.index <= (state.snapshot?.index ?? 0), "what the log has lost the snapshot has");
  invariant(state.durableIndex >= state.base.index, "a base is durable");
  invariant(state.durableIndex <= state.last.index, "the durable entries are entries of the log");
  invariant(state.last.term <= state.hardState.currentTerm, "a term is durable before its entries are written");
  invariant(state.lastPersisted <= state.lastOrdered, "only what was ordered is reported durable");
}

export function checkStorageStep(before: StorageState, after: StorageState): void {
  invariant(before.base.index <= after.base.index, "the log is only ever shortened at its beginning");
  invariant((before.snapshot?.index ?? 0) <= (after.snapshot?.index ?? 0), "a snapshot gives way to a newer one");
  invariant(before.end <= after.end, "the log is append-only: its positions only rise");
  invariant(before.synced <= after.synced, "what is durable stays so");
  invariant(before.marked.through <= after.marked.through, "marks never fall");
  invariant(before.marked.generation <= after.marked.generation, "marks never forget a hard state");
  invariant(before.generation <= after.generation, "generations ascend");
  invariant(before.hardState.currentTerm <= after.hardState.currentTerm, "the term never falls");
  invariant(before.lastPersisted <= after.lastPersisted, "orders become durable in order");
  checkLoss(before, after);
  if (before.hardState.currentTerm === after.hardState.currentTerm && before.hardState.votedFor !== null) {
    invariant(before.hardState.votedFor === after.hardState.votedFor, "one vote per term");
  }
}

/** What is lost is found again as a whole, and more is lost only with everything. */
function checkLoss(before: StorageState, after: StorageState): void {
  invariant(after.isQuarantined || !before.isQuarantined, "a quarantine ends with the process");
  if (after.isQuarantined || after.lost === null) return;
  invariant(before.lost !== null && sameEntry(before.lost, after.lost), "what is lost is found out by recovery");
}

/** Both, after every step. */
export class StorageLaws {
  /** As of the last step; null: storage of a member there was not. */
  private checked: StorageState | null = null;

  check(state: StorageState | null): void {
    if (state !== null) checkStorage(state);
    if (state !== null && this.checked !== null) checkStorageStep(this.checked, state);
    this.checked = state;
  }
}
