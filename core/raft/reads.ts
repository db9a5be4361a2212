/**
 * ReadIndex (thesis §6.4): a leader may answer a read with its state as of commitIndex once a majority has confirmed,
 * in a round of messages begun after the read was asked for, that its term is still the latest.
 *
 * At most one round is being confirmed; reads that arrive meanwhile wait for the next one, so a thousand reads cost two
 * rounds. Rounds are numbered and never reused in a term: an old reply cannot confirm a new read. This object lives for
 * one term of one leader.
 */
import { majority, type LogIndex, type ReadNumber } from "../types.ts";
import type { RaftEffect } from "./boundary.ts";

export class Reads {
  /** The latest round begun; 0: none. Carried by every AppendEntries of this term. */
  round = 0;
  /** Asked for after the latest round had begun, or before the term may answer reads at all. */
  private waiting: ReadNumber[] = [];
  private confirming: { readonly reads: readonly ReadNumber[]; readonly index: LogIndex } | null = null;

  request(read: ReadNumber): void {
    this.waiting.push(read);
  }

  /** Begins a round if reads wait for one and none is under way; whether it did. `index`: committed by now. */
  begin(index: LogIndex): boolean {
    if (this.confirming !== null || this.waiting.length === 0) return false;
    this.round += 1;
    this.confirming = { reads: this.waiting, index };
    this.waiting = [];
    return true;
  }

  /** @param answered each follower with the latest round that it has answered. */
  confirm(answered: readonly { readonly round: number }[], effects: RaftEffect[]): void {
    if (this.confirming === null) return;
    // Ourselves: we lead this very term.
    let count = 1;
    for (const { round } of answered) if (round >= this.round) count += 1;
    if (count < majority(answered.length + 1)) return;
    for (const read of this.confirming.reads) effects.push({ type: "ReadReady", read, index: this.confirming.index });
    this.confirming = null;
  }

  /** Leadership is lost: whatever is not confirmed never will be. */
  refuse(effects: RaftEffect[]): void {
    for (const read of this.confirming?.reads ?? []) effects.push({ type: "ReadRefused", read });
    for (const read of this.waiting) effects.push({ type: "ReadRefused", read });
    this.confirming = null;
    this.waiting = [];
  }
}
