/**
 * This node's proposals: which may be appended, and what became of those that were.
 *
 * Two lives. The *chain* lives for one term of one leader: a proposal builds on its predecessor, so it is accepted only
 * right behind it, and after a refusal nothing is accepted until the proposer has undone what it built on top. The
 * *open* proposals outlive the term: losing leadership says nothing about an outcome. Only what is committed at the
 * proposal's index does, and that may become known much later, and from another leader.
 */
import { invariant } from "../invariant.ts";
import type { EntryId, Instant, LogIndex, ProposalNumber, Term } from "../types.ts";
import type { RaftEffect, RaftInput, RaftLimits, RefusalReason } from "./boundary.ts";

type Proposed = RaftInput & { readonly type: "Proposed" };

interface Open {
  readonly proposal: ProposalNumber;
  readonly entry: EntryId;
  readonly size: number;
}

/** What of this node's own disk bears on whether something may be proposed. */
export interface DiskCondition {
  readonly hasSpace: boolean;
  /** Payload bytes that wait for it: the others may commit without it, and then memory alone has them. */
  readonly unwrittenBytes: number;
}

const NONE = 0 as ProposalNumber;

export class Proposals {
  private lastProposed = NONE;
  /** The last one accepted in the term being led; 0: none yet. */
  private lastAccepted = NONE;
  /** One was refused, and the proposer has not yet said that it has undone what builds on it. */
  private awaitingRollback = false;
  /** Payload bytes accepted in the term being led and not yet committed. */
  private uncommittedBytes = 0;
  private ledTerm: Term | null = null;
  /** Leadership is being handed over: nothing is accepted until that has come about or failed. */
  isPaused = false;
  /** Since when proposals are refused because our own disk is behind; null: it is not, or nobody proposes. */
  heldUpSince: Instant | null = null;
  /** By index; several where entries of ours were replaced and we led again. */
  private readonly open = new Map<LogIndex, Open[]>();

  get hasOpen(): boolean {
    return this.open.size > 0;
  }

  /** How many proposals have no outcome yet. */
  get openCount(): number {
    let count = 0;
    for (const at of this.open.values()) count += at.length;
    return count;
  }

  /** A new chain begins with the term being led; null: this node leads no more. */
  lead(term: Term | null): void {
    this.ledTerm = term;
    this.lastAccepted = NONE;
    this.awaitingRollback = false;
    this.isPaused = false;
    this.heldUpSince = null;
    this.uncommittedBytes = 0;
  }

  /** Why it cannot be appended; null: it can. A refusal within the term being led breaks the chain. */
  judge(input: Proposed, limits: RaftLimits, disk: DiskCondition, now: Instant): RefusalReason | null {
    invariant(input.proposal > this.lastProposed, "each proposal has a higher number than the one before");
    this.lastProposed = input.proposal;
    if (input.term !== this.ledTerm) return "notLeader";
    const reason = this.refusal(input, limits, disk);
    if (reason !== null) this.awaitingRollback = true;
    if (reason === "busy" && disk.unwrittenBytes > this.uncommittedBytes) this.heldUpSince ??= now;
    return reason;
  }

  /** Our own disk holds more: while it is far behind it goes on to hold proposals up. */
  written({ maxUncommittedBytes }: RaftLimits, unwrittenBytes: number): void {
    if (unwrittenBytes <= maxUncommittedBytes / 2) this.heldUpSince = null;
  }

  accept(proposal: ProposalNumber, entry: EntryId, size: number): void {
    this.lastAccepted = proposal;
    this.uncommittedBytes += size;
    const at = this.open.get(entry.index);
    if (at === undefined) this.open.set(entry.index, [{ proposal, entry, size }]);
    else at.push({ proposal, entry, size });
  }

  /** The proposer has undone everything above `last`. Said for another term, or of another proposal, it is stale. */
  rolledBack(term: Term, last: ProposalNumber): void {
    if (term === this.ledTerm && last === this.lastAccepted) this.awaitingRollback = false;
  }

  /** An entry is committed: whatever was proposed at its index has its outcome. */
  committed(entry: EntryId, effects: RaftEffect[]): void {
    const at = this.open.get(entry.index);
    if (at === undefined) return;
    this.open.delete(entry.index);
    for (const { proposal, entry: { term }, size } of at) {
      const type = term === entry.term ? "committed" : "lost";
      if (term === this.ledTerm) this.uncommittedBytes -= size;
      effects.push({ type: "Resolve", proposal, outcome: { type, entry } });
    }
  }

  /**
   * What is committed up to `index` will not be known here: a snapshot has it, or this node gets no entries any more.
   */
  skippedTo(index: LogIndex, effects: RaftEffect[]): void {
    for (const [at, proposals] of [...this.open].sort(([a], [b]) => a - b)) {
      if (at > index) continue;
      this.open.delete(at);
      for (const { proposal } of proposals) effects.push({ type: "Resolve", proposal, outcome: { type: "unknown" } });
    }
  }

  private refusal({ predecessor, payload }: Proposed, limits: RaftLimits, disk: DiskCondition): RefusalReason | null {
    if (this.awaitingRollback || predecessor !== this.lastAccepted) return "outOfOrder";
    if (this.isPaused) return "transferring";
    if (!disk.hasSpace) return "diskFull";
    if (payload.length > limits.maxPayloadBytes) return "tooLarge";
    // One is always admitted: a transaction that the limits allow must be able to commit.
    const waiting = Math.max(this.uncommittedBytes, disk.unwrittenBytes);
    return waiting > 0 && waiting + payload.length > limits.maxUncommittedBytes ? "busy" : null;
  }
}
