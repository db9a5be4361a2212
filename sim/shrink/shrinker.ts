/**
 * Makes a failing run smaller: proposes one run after the other, is told what each came to, and keeps the smallest
 * that still fails by the same oracle. It runs nothing itself, and knows no clock: whoever drives it stops when it
 * likes, and `best` is a trace at any time.
 *
 * The steps are:
 *   1. With chance at large: a smaller plan, whole classes of trouble left out. Such a run has another course, which
 *      fails again where the bug is common; it is short then, and so are all that follow.
 *   2. From then on only what occurred until the failure is kept, by its addresses. Leave out more and more of it:
 *      whole streams, halves, quarters, single occurrences (delta debugging), until no single one can be left out.
 *
 * The hard idea: what occurred is known only once it has. Each run that still fails says anew what occurred in it, and
 * what did not is dropped without a run of its own.
 */
import { classOf, joinOccurrences, type Kept, keepOnly } from "./kept.ts";
import { type PlanChanges, smallerPlans } from "./plan-change.ts";
import { planOf, type Trace } from "./trace.ts";
import { isSameFailure, type Verdict } from "./verdict.ts";

/** A run to try. */
export interface Candidate {
  readonly trace: Trace;
  /** Classes of streams that are left out, whatever else is kept. */
  readonly without: ReadonlySet<string>;
  /** It has passed if nothing has failed until then. */
  readonly endsAt: number;
  /** What is being tried, in a word or two. */
  readonly step: string;
}

export interface Shrunk {
  readonly trace: Trace;
  readonly verdict: Verdict;
}

/** Yields runs, is answered by what they came to. */
type Search<Result = void> = Generator<Candidate, Result, Verdict>;

/** A smaller run may fail a little later than the larger one. */
const PATIENCE_US = 1_000_000;

export class Shrinker {
  private smallest: Shrunk;
  /** Whether no single occurrence that is kept can be left out: known at the end. */
  isMinimal = false;
  private without: ReadonlySet<string> = new Set();

  /** @param first a run of everything, which failed */
  constructor(trace: Trace, first: Verdict) {
    this.smallest = { trace, verdict: first };
  }

  /** Of what is kept nothing is there that did not occur. */
  get best(): Shrunk {
    const { trace, verdict } = this.smallest;
    const kept = keepOnly(verdict.occurrences);
    return { trace: { ...trace, kept }, verdict: { ...verdict, occurrences: joinOccurrences(verdict.occurrences) } };
  }

  *search(): Search {
    if (this.smallest.trace.kept === null) {
      yield* this.tryPageModel();
      yield* this.shrinkPlan("costly");
      yield* this.leaveOutClasses();
    }
    // What stands is kept by its addresses from now on.
    yield* this.attempt({ ...this.best.trace }, new Set(), "what occurred");
    yield* this.shrinkPlan("costly");
    yield* this.leaveOutStreams();
    let size = Infinity;
    while (this.occurrences.length < size) {
      size = this.occurrences.length;
      yield* this.leaveOutSingles();
      yield* this.shrinkPlan("all");
    }
    this.isMinimal = true;
  }

  private get occurrences(): readonly { readonly stream: string; readonly number: number }[] {
    return joinOccurrences(this.smallest.verdict.occurrences);
  }

  /** Whether the same still fails: then it is the best from now on. */
  private *attempt(trace: Trace, without: ReadonlySet<string>, step: string): Search<boolean> {
    const endsAt = Math.ceil(this.smallest.verdict.at * 1.1) + PATIENCE_US;
    const verdict = yield { trace, without, endsAt, step };
    if (!isSameFailure(this.smallest.verdict, verdict) || this.hasGrown(verdict)) return false;
    this.smallest = { trace, verdict };
    this.without = without;
    return true;
  }

  /** With less trouble clients may do more: a smaller plan is no gain then. */
  private hasGrown({ occurrences }: Verdict): boolean {
    return occurrences.length > 1.2 * this.smallest.verdict.occurrences.length;
  }

  /** Most that fails over SQLite fails over the page model too, and many times faster. */
  private *tryPageModel(): Search {
    const { trace } = this.smallest;
    if (trace.database === "sqlite") yield* this.attempt({ ...trace, database: "model" }, this.without, "page model");
  }

  private *shrinkPlan(which: "costly" | "all"): Search {
    const tried = new Set<string>();
    for (;;) {
      const next = this.smallerPlans(which).find((changes) => !tried.has(JSON.stringify(changes)));
      if (next === undefined) return;
      tried.add(JSON.stringify(next));
      const [name = ""] = Object.keys(next);
      const { trace } = this.smallest;
      const changes = { ...trace.changes, ...next };
      yield* this.attempt({ ...trace, changes, kept: this.kept() }, this.without, `smaller ${name}`);
    }
  }

  private smallerPlans(which: "costly" | "all"): readonly PlanChanges[] {
    return smallerPlans(planOf(this.smallest.trace), which);
  }

  private *leaveOutClasses(): Search {
    const classes = [...new Set(this.occurrences.map(({ stream }) => classOf(stream)))];
    const occurring = (): readonly string[] => this.occurrences.map(({ stream }) => classOf(stream));
    yield* this.reduce(occurring, (left) => {
      const without = new Set([...this.without, ...classes.filter((name) => !left.includes(name))]);
      return this.attempt({ ...this.smallest.trace }, without, "classes");
    });
  }

  private *leaveOutStreams(): Search {
    const occurring = (): readonly string[] => this.occurrences.map(({ stream }) => stream);
    yield* this.reduce(occurring, (left) => {
      const kept = keepOnly(this.occurrences.filter(({ stream }) => left.includes(stream)));
      return this.attempt({ ...this.smallest.trace, kept }, new Set(), "streams");
    });
  }

  private *leaveOutSingles(): Search {
    const nameOf = ({ stream, number }: { stream: string; number: number }): string => `${stream} ${number}`;
    yield* this.reduce(() => this.occurrences.map(nameOf), (left) => {
      const names = new Set(left);
      const kept = keepOnly(this.occurrences.filter((one) => names.has(nameOf(one))));
      return this.attempt({ ...this.smallest.trace, kept }, new Set(), "single occurrences");
    });
  }

  /** null while chance is at large. */
  private kept(): Kept | null {
    return this.smallest.trace.kept === null ? null : this.best.trace.kept;
  }

  /**
   * Leaves out all items, halves, quarters and so on, the last first, down to single ones. `attempt` is told which
   * would be left, and says whether it still fails then; `occurring` says what there is after that.
   */
  private *reduce(
    occurring: () => readonly string[], attempt: (left: readonly string[]) => Search<boolean>,
  ): Search {
    let left = [...new Set(occurring())];
    for (let size = left.length; size >= 1; size = Math.floor(Math.min(size, left.length) / 2)) {
      let end = left.length;
      while (end > 0) {
        const from = Math.max(0, end - size);
        if (yield* attempt([...left.slice(0, from), ...left.slice(end)])) left = [...new Set(occurring())];
        end = Math.min(from, left.length);
      }
    }
  }
}
