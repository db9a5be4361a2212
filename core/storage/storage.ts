/**
 * The storage of one node as a machine: orders in, disk operations and their outcomes out. Synchronous.
 *
 * Life: start -> Recovered -> writeIdentity, once or twice, if the directory belongs to no cluster yet -> persist and
 * requestRead in any mix -> close -> Closed. Failed may come at any time and is final.
 */
import type { DiskAnswer } from "./disk.ts";
import type { Identity, LogIndex } from "../types.ts";
import type { ReadPurpose } from "../raft/boundary.ts";
import type { PersistOrder, StorageEffect, StorageOptions } from "./boundary.ts";

export declare class Storage {
  constructor(options: StorageOptions);

  /** Begins recovery. Answered by Recovered, or by Failed where the directory must not be used. */
  start(): readonly StorageEffect[];

  /**
   * Makes the identity durable, atomically. Answered by IdentityWritten; one at a time. An identity with a cluster
   * also creates the log and the hard state (term 0, no vote), before the identity that promises them: only from then
   * on may anything be persisted.
   */
  writeIdentity(identity: Identity): readonly StorageEffect[];

  /** Queues one Persist of raft/; tickets ascend. Answered by Persisted. After `close` it is dropped, unanswered. */
  persist(order: PersistOrder): readonly StorageEffect[];

  /**
   * Reads durable entries [from, end) back: at least one, and only so many that their records span at most about
   * maxBytes. Answered by EntriesRead with the entries as they stood when asked for, in the order of the requests.
   */
  requestRead(purpose: ReadPurpose, from: LogIndex, end: LogIndex, maxBytes: number): readonly StorageEffect[];

  /** The answer to a Disk effect, each exactly once, in order within a file. */
  answered(answer: DiskAnswer): readonly StorageEffect[];

  /** Finishes what is queued, leaves a closing mark, then says Closed. A second call changes nothing. */
  close(): readonly StorageEffect[];
}
