/**
 * Who leads, as far as Database has been told, and the chain of proposals of the present term.
 *
 *                 LeadershipChanged to us              our term's no-op applied
 *     following ───────────────────────▶ preparing ───────────────────────▶ leading
 *         ▲                                  │                                 │
 *         └──────────────────────────────────┴───────── any other leader or term
 *
 * Each proposal names the one before it in its term, so that the log cannot accept a transaction without the one whose
 * state it was executed on.
 */
import { failure, type Failure } from "../failure.ts";
import type { Entry, NodeId, ProposalNumber, Term } from "../types.ts";

const NONE = 0 as ProposalNumber;

export class Leadership {
  term = 0 as Term;
  /** null: unknown. */
  leader: NodeId | null = null;
  /** Whether our own term's no-op has been applied: all earlier entries then have been, too. */
  private prepared = false;
  /** The last proposal made in this term, and the last one accepted; 0: none. */
  private lastInTerm = NONE;
  private lastAccepted = NONE;
  private lastNumber = NONE;
  private readonly id: NodeId;

  constructor(id: NodeId) {
    this.id = id;
  }

  /** This node leads `term`; it may not have caught up yet. */
  get leads(): boolean {
    return this.leader === this.id;
  }

  get mayExecute(): boolean {
    return this.leads && this.prepared;
  }

  /** The last proposal of this term that was not rolled back; 0: none. */
  get lastProposal(): ProposalNumber {
    return this.lastInTerm;
  }

  /** "lost": this node led until now, or leads anew: what was speculative is void. */
  changed(term: Term, leader: NodeId | null): "lost" | "other" {
    if (term === this.term && leader === this.leader) return "other";
    const led = this.leads;
    this.term = term;
    this.leader = leader;
    this.prepared = false;
    this.lastInTerm = NONE;
    this.lastAccepted = NONE;
    return led ? "lost" : "other";
  }

  applied(entry: Entry): void {
    if (entry.kind === "noop" && entry.term === this.term) this.prepared = true;
  }

  nextProposal(): { readonly proposal: ProposalNumber; readonly predecessor: ProposalNumber } {
    const predecessor = this.lastInTerm;
    this.lastNumber = (this.lastNumber + 1) as ProposalNumber;
    this.lastInTerm = this.lastNumber;
    return { proposal: this.lastNumber, predecessor };
  }

  accepted(proposal: ProposalNumber): void {
    // Numbers rise over the terms: one above the last of an earlier term cannot be mistaken for one of this.
    if (proposal <= this.lastInTerm) this.lastAccepted = proposal;
  }

  /** What was not accepted has been undone. @returns the last accepted proposal, on which the next one builds. */
  rolledBack(): ProposalNumber {
    this.lastInTerm = this.lastAccepted;
    return this.lastAccepted;
  }

  /** What a client is told whose request this node did not execute because it does not lead. */
  refusal(): Failure {
    const advice = this.leader === null ? "no leader is known: try later" : `the leader is "${this.leader}": ask there`;
    return failure("NotLeader", `this node does not lead, or no longer; ${advice}`);
  }
}
