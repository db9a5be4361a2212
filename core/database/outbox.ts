/**
 * When an answer may leave.
 *
 * The writer runs ahead of replication, so whatever it computed may turn out never to have been. The rules:
 *
 * - The answer to a committed transaction leaves when its own entry is applied here.
 * - Any other answer computed on the writer's view (rows, counts, errors, "nothing to commit") leaves when the last
 *   proposal below it is applied and a ReadIndex round begun after the execution has confirmed the term: until then a
 *   new leader may exist for which that state was never true.
 * - A refused proposal takes with it every later one and every answer that was computed on top: all of these were
 *   surely not executed.
 * - Losing leadership undoes frames but decides nothing about proposals that were accepted: they become *orphans*, and
 *   their answers leave when the log tells what is committed at their index. Where a snapshot takes its place that may
 *   stay unknown.
 *
 * Knows proposals, entries and answers; knows no SQL and no session.
 */
import { invariant } from "../invariant.ts";
import { sameEntry, type EntryId, type LogIndex, type ProposalNumber, type ReadNumber } from "../types.ts";
import type { Answer } from "./answer.ts";

/** What an answer held back came to. */
export interface Verdict {
  readonly answer: Answer;
  /**
   * "released": it leaves as it is. "never": what it reports was surely not executed. "partly": of the several
   * transactions of a script, some may be committed. "unknown": nobody can tell here any more.
   */
  readonly fate: "released" | "never" | "partly" | "unknown";
}

interface InFlight {
  readonly proposal: ProposalNumber;
  /** Where it stands in the log; null: not accepted yet. */
  entry: EntryId | null;
  /** The answer that leaves when this is applied; null: a script's answer waits for a later one. */
  readonly answer: Answer | null;
  /** The first proposal of the same request: lower than `proposal` for a script of several transactions. */
  readonly first: ProposalNumber;
  /** Its entry is committed, and will be applied, or is in the snapshot that comes instead. */
  committed: boolean;
}

interface Held {
  readonly answer: Answer;
  /** The last proposal below it; it has been applied once none up to it is in flight. */
  readonly above: ProposalNumber;
  readonly read: ReadNumber;
  confirmed: boolean;
}

export class Outbox {
  /** Proposals of the present term, oldest first: exactly the engine's speculative commits. */
  private inFlight: InFlight[] = [];
  /** Accepted, or about to be, when leadership was lost. By proposal, in ascending order. */
  private readonly orphans = new Map<ProposalNumber, InFlight>();
  private held: Held[] = [];

  get speculative(): number {
    return this.inFlight.length;
  }

  /** A proposal was made; `answer` waits for it. */
  proposed(proposal: ProposalNumber, first: ProposalNumber, answer: Answer | null): void {
    const last = this.inFlight.at(-1);
    invariant(last === undefined || last.proposal < proposal, "proposals are made in order");
    this.inFlight.push({ proposal, entry: null, answer, first, committed: false });
  }

  /** An answer that made no frames, computed above proposal `above`; `read` was begun after the execution. */
  hold(answer: Answer, above: ProposalNumber, read: ReadNumber): void {
    this.held.push({ answer, above, read, confirmed: false });
  }

  accepted(proposal: ProposalNumber, entry: EntryId): void {
    const waiting = this.inFlight.find((one) => one.proposal === proposal) ?? this.orphans.get(proposal);
    if (waiting !== undefined) waiting.entry = entry;
  }

  /**
   * An entry is about to be applied. `live`: it is the oldest speculative commit, so that moving the applied header is
   * all there is to do; otherwise its payload has to be decoded.
   */
  applied(entry: EntryId): { readonly live: boolean; readonly verdicts: readonly Verdict[] } {
    const head = this.inFlight[0];
    if (head !== undefined && head.entry !== null && sameEntry(head.entry, entry)) {
      this.inFlight.shift();
      return { live: true, verdicts: [...verdictsOf(head, "released"), ...this.release()] };
    }
    for (const orphan of this.orphans.values()) {
      if (orphan.entry === null || !sameEntry(orphan.entry, entry)) continue;
      this.orphans.delete(orphan.proposal);
      return { live: false, verdicts: verdictsOf(orphan, "released") };
    }
    return { live: false, verdicts: [] };
  }

  confirmed(read: ReadNumber): readonly Verdict[] {
    for (const one of this.held) if (one.read === read) one.confirmed = true;
    return this.release();
  }

  /** The proposal was refused, or its entry lost: undoes it and, in the present term, all that stands on it. */
  refused(proposal: ProposalNumber): { readonly keep: number; readonly verdicts: readonly Verdict[] } {
    const orphan = this.orphans.get(proposal);
    if (orphan !== undefined) {
      this.orphans.delete(proposal);
      return { keep: this.inFlight.length, verdicts: verdictsOf(orphan, orphan.first < proposal ? "partly" : "never") };
    }
    const at = this.inFlight.findIndex((one) => one.proposal === proposal);
    // Unknown: a successor of a refused one, undone together with it.
    if (at < 0) return { keep: this.inFlight.length, verdicts: [] };
    const undone = this.inFlight.splice(at);
    const verdicts = undone.flatMap((one) => verdictsOf(one, one.first < proposal ? "partly" : "never"));
    const fallen = this.held.filter((one) => one.above >= proposal);
    this.held = this.held.filter((one) => one.above < proposal);
    return { keep: at, verdicts: [...verdicts, ...fallen.map(never)] };
  }

  /** Leadership is lost: nothing is speculative any more. */
  abandon(): readonly Verdict[] {
    for (const one of this.inFlight) this.orphans.set(one.proposal, one);
    this.inFlight = [];
    const fallen = this.held;
    this.held = [];
    return fallen.map(never);
  }

  committed(proposal: ProposalNumber): void {
    const waiting = this.inFlight.find((one) => one.proposal === proposal) ?? this.orphans.get(proposal);
    if (waiting !== undefined) waiting.committed = true;
  }

  /** A snapshot took the place of its entry, or of another one at its index. */
  unknown(proposal: ProposalNumber): readonly Verdict[] {
    const orphan = this.orphans.get(proposal);
    invariant(orphan !== undefined, "a leader knows what is committed");
    this.orphans.delete(proposal);
    return verdictsOf(orphan, "unknown");
  }

  /** A snapshot has taken the place of the entries up to `index`: those that are committed are in it. */
  restored(index: LogIndex): readonly Verdict[] {
    invariant(this.inFlight.length === 0, "nothing is speculative where a snapshot is restored");
    const covered = [...this.orphans.values()].filter(({ entry }) => entry !== null && entry.index <= index);
    for (const { proposal, committed } of covered) {
      invariant(committed, "what a snapshot covers has its outcome before it comes");
      this.orphans.delete(proposal);
    }
    return covered.flatMap((one) => verdictsOf(one, "released"));
  }

  private release(): readonly Verdict[] {
    const oldest = this.inFlight[0]?.proposal ?? Number.POSITIVE_INFINITY;
    const leaving = this.held.filter((one) => one.confirmed && one.above < oldest);
    if (leaving.length > 0) this.held = this.held.filter((one) => !leaving.includes(one));
    return leaving.map((one) => ({ answer: one.answer, fate: "released" }));
  }
}

function verdictsOf(one: InFlight, fate: Verdict["fate"]): readonly Verdict[] {
  return one.answer === null ? [] : [{ answer: one.answer, fate }];
}

function never(one: Held): Verdict {
  return { answer: one.answer, fate: "never" };
}
