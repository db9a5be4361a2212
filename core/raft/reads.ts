/**
 * ReadIndex (thesis §6.4): a leader may answer a read with its state as of commitIndex once a quorum has confirmed, in
 * a round begun after the read was asked for, that its term is still the latest. Whoever asks, this node or another
 * member, waits for the same rounds.
 *
 * At most one round is begun for reads at a time; those that arrive meanwhile wait for the next one, so a thousand
 * reads cost two rounds. This object lives for one term of one leader.
 */
import type { LogIndex, MemberId, ReadNumber } from "../types.ts";

/** Who asked. */
export type ReadOrigin =
  | { readonly type: "own"; readonly read: ReadNumber }
  | { readonly type: "member"; readonly to: MemberId; readonly request: number };

export interface ReadBatch {
  readonly origins: readonly ReadOrigin[];
  /** What was committed when their round began. */
  readonly index: LogIndex;
  readonly round: number;
}

const NOBODY: readonly ReadOrigin[] = [];

export class Reads {
  /** Asked for after the latest round for reads had begun, or before the term may answer reads at all. */
  private waiting: ReadOrigin[] = [];
  private confirming: ReadBatch | null = null;

  request(origin: ReadOrigin): void {
    this.waiting.push(origin);
  }

  /** Whether reads wait for a round, and none is under way for others. */
  get wantsRound(): boolean {
    return this.confirming === null && this.waiting.length > 0;
  }

  /** Those that wait are to be confirmed by this round, which begins now. */
  begin(round: number, index: LogIndex): void {
    this.confirming = { origins: this.waiting, index, round };
    this.waiting = [];
  }

  /** What may be answered, now that a quorum has answered this round; null: nothing. */
  confirmedBy(round: number): ReadBatch | null {
    const batch = this.confirming;
    if (batch === null || round < batch.round) return null;
    this.confirming = null;
    return batch;
  }

  /** Those that wait need no round: there is a lease. */
  takeWaiting(): readonly ReadOrigin[] {
    if (this.waiting.length === 0) return NOBODY;
    const origins = this.waiting;
    this.waiting = [];
    return origins;
  }

  /** Leadership is lost: whatever is not confirmed never will be. */
  abandon(): readonly ReadOrigin[] {
    const origins = [...(this.confirming?.origins ?? NOBODY), ...this.waiting];
    this.confirming = null;
    this.waiting = [];
    return origins;
  }
}
