/**
 * Finding the leader: everybody is asked, and a session opened with the node that says that it leads the highest term.
 *
 * A node that wrongly believes that it leads harms nobody: it can neither commit nor confirm anything, and whoever
 * waits for it searches again. Answers carry the nonce of what they answer: those to a question from before the
 * present session do not count. Those to any question since do: the way there and back may take longer than the time
 * until the next one.
 */
import type { Failure } from "../failure.ts";
import type { Random } from "../random.ts";
import { afterMs, type Instant, type Term } from "../types.ts";
import type { ClientMessage, NodeMessage } from "../wire/statement.ts";
import type { Endpoint } from "./boundary.ts";

/** The shortest time between two searches is drawn from [min, 2 * min), so that many clients do not ask in step. */
const MIN_INTERVAL_MS = 100;

export interface Letter {
  readonly to: Endpoint;
  readonly message: ClientMessage;
}

/** The session being opened. */
interface Opening {
  readonly endpoint: Endpoint;
  readonly term: Term;
  readonly nonce: number;
  readonly giveUpAt: Instant;
}

export class LeaderSearch {
  /** Why the last session was refused; null: none was since one was opened. */
  lastRefusal: Failure | null = null;
  private endpoints: readonly Endpoint[];
  private readonly attemptTimeoutMs: number;
  private readonly random: Random;
  private nonce: number;
  private searchNonce = 0;
  /** Of the earliest search whose answers count. */
  private earliestNonce = 0;
  private nextSearchAt: Instant | null = null;
  private opening: Opening | null = null;

  constructor(endpoints: readonly Endpoint[], attemptTimeoutMs: number, random: Random) {
    this.endpoints = endpoints;
    this.attemptTimeoutMs = attemptTimeoutMs;
    this.random = random;
    // Answers to an earlier life of this client, still on their way, do not fit.
    this.nonce = random.u32();
    this.earliestNonce = this.nonce + 1;
  }

  /** From now on these are asked. */
  ask(endpoints: readonly Endpoint[]): void {
    this.endpoints = endpoints;
  }

  /** Asks everybody, unless that was done a moment ago. */
  search(now: Instant): readonly Letter[] {
    if (this.nextSearchAt !== null && now < this.nextSearchAt) return [];
    this.nextSearchAt = afterMs(now, this.random.integer(MIN_INTERVAL_MS, 2 * MIN_INTERVAL_MS - 1));
    this.searchNonce = ++this.nonce;
    return this.endpoints.map((to) => ({ to, message: { type: "Locate", nonce: this.searchNonce } }));
  }

  /** Whether this answers a search of ours: the sender leads `term`, as far as it knows. */
  isLeader({ nonce, leads }: NodeMessage & { type: "Located" }): boolean {
    return leads && nonce >= this.earliestNonce && nonce <= this.searchNonce;
  }

  /** A leader of a later term than ours was found: opens a session, unless one is being opened in as late a term. */
  open(now: Instant, endpoint: Endpoint, term: Term): readonly Letter[] {
    const { opening } = this;
    if (opening !== null && term <= opening.term && now < opening.giveUpAt) return [];
    const nonce = ++this.nonce;
    this.opening = { endpoint, term, nonce, giveUpAt: afterMs(now, this.attemptTimeoutMs) };
    return [{ to: endpoint, message: { type: "OpenSession", nonce } }];
  }

  /** Whether this is the session that was asked for; the search is over then. */
  opened(message: NodeMessage & { type: "SessionOpened" }): boolean {
    if (this.opening === null || message.nonce !== this.opening.nonce) return false;
    this.opening = null;
    this.nextSearchAt = null;
    this.earliestNonce = this.searchNonce;
    this.lastRefusal = null;
    return true;
  }

  refused(message: NodeMessage & { type: "SessionRefused" }): void {
    if (this.opening === null || message.nonce !== this.opening.nonce) return;
    this.opening = null;
    this.lastRefusal = message.failure;
  }

  connectionLost(endpoint: Endpoint): void {
    if (this.opening?.endpoint === endpoint) this.opening = null;
  }
}
