/**
 * What a run says: the first and the last line, the table of faults and marks, the same for machines, and the rule that
 * over many seeds no fault may be without effect. Time on a wall comes in from outside.
 */
import type { DatabaseKind } from "./environment.ts";
import { describePlan } from "./plan.ts";
import type { RunResult } from "./run.ts";
import { FAULT_KINDS, idleKinds, MARKS, Tally, type TallyCounts } from "./tally.ts";

/** As many seeds must reach every fault and every mark. */
export const SEEDS_FOR_ALL_KINDS = 200;

export const EXIT = { passed: 0, correctness: 1, liveness: 2, crash: 3, usage: 64 } as const;

/** A run that a machine's own throw ended. */
export interface Crash {
  readonly seed: number;
  /** Which step was being taken. */
  readonly during: string;
  readonly stack: string;
}

export function firstLine(result: Pick<RunResult, "plan">, version: string, database: DatabaseKind): string {
  return `quorumlite ${version} database=${database} ${describePlan(result.plan)}`;
}

export function repeatCommand(seed: number, database: DatabaseKind): string {
  return `npm run sim -- --seed ${seed}${database === "model" ? " --database model" : ""}`;
}

export function lastLine(result: RunResult, wallSeconds: number, database: DatabaseKind): string {
  const { plan, events, simulatedSeconds, hash, failure } = result;
  const speed = wallSeconds > 0 ? simulatedSeconds / wallSeconds : 0;
  const measures =
    `seed=${plan.seed} events=${events} simulated=${simulatedSeconds.toFixed(1)}s wall=${wallSeconds.toFixed(2)}s ` +
    `speed=${speed.toFixed(0)}x hash=${hash}`;
  if (failure === null) return `PASSED ${measures}`;
  const explanation = `FAILED ${failure.oracle} ${failure.message}`;
  return `${explanation}\nFAILED ${failure.oracle} ${measures} repeat="${repeatCommand(plan.seed, database)}"`;
}

export function crashLine(crash: Crash, database: DatabaseKind): string {
  const repeat = repeatCommand(crash.seed, database);
  return `${crash.stack}\nFAILED crash seed=${crash.seed} during="${crash.during}" repeat="${repeat}"`;
}

/** One line for each fault kind, then one for each mark. */
export function tallyTable(tally: TallyCounts): string {
  const lines = ["fault                    injected   effect"];
  for (const kind of FAULT_KINDS) {
    lines.push(`${kind.padEnd(22)} ${column(tally.injected[kind])} ${column(tally.effects[kind])}`);
  }
  lines.push("mark                      reached");
  for (const mark of MARKS) lines.push(`${mark.padEnd(22)} ${column(tally.marks[mark])}`);
  return lines.join("\n");
}

/** For machines: the whole result, one line. */
export function resultAsJson(result: RunResult, wallSeconds: number, version: string, database: DatabaseKind): string {
  const { plan, failure, tally, events, simulatedSeconds, hash } = result;
  const { injected, effects, marks } = tally;
  const outcome = failure === null ? "passed" : failure.type;
  return JSON.stringify({
    outcome, seed: plan.seed, version, database, plan, failure, events, simulatedSeconds, wallSeconds, hash,
    injected, effects, marks,
  });
}

/** The sum of many runs. */
export class Summary {
  readonly tally = new Tally();
  passed = 0;
  readonly failed: { readonly seed: number; readonly oracle: string; readonly exit: number }[] = [];
  private events = 0;
  private simulatedSeconds = 0;
  private runs = 0;

  add(result: RunResult): void {
    this.runs++;
    this.tally.add(result.tally);
    this.events += result.events;
    this.simulatedSeconds += result.simulatedSeconds;
    const { failure, plan } = result;
    if (failure === null) this.passed++;
    else this.failed.push({ seed: plan.seed, oracle: failure.oracle, exit: EXIT[failure.type] });
  }

  addCrash(crash: Crash): void {
    this.runs++;
    this.failed.push({ seed: crash.seed, oracle: "crash", exit: EXIT.crash });
  }

  /** What was never seen to have an effect, once there were seeds enough for all of it. */
  idle(): readonly string[] {
    return this.runs >= SEEDS_FOR_ALL_KINDS ? idleKinds(this.tally) : [];
  }

  /** The worst that happened: a crash of the code, then a wrong answer, then standing still. */
  exitCode(): number {
    const codes = this.failed.map((run) => run.exit);
    if (codes.includes(EXIT.crash)) return EXIT.crash;
    if (codes.includes(EXIT.correctness) || this.idle().length > 0) return EXIT.correctness;
    return codes.includes(EXIT.liveness) ? EXIT.liveness : EXIT.passed;
  }

  lines(wallSeconds: number, database: DatabaseKind): string {
    const lines = [tallyTable(this.tally)];
    for (const run of this.failed) lines.push(`failed ${run.oracle}: ${repeatCommand(run.seed, database)}`);
    const idle = this.idle();
    if (idle.length > 0) lines.push(`without effect in ${this.runs} seeds: ${idle.join(" ")}`);
    const verdict = this.exitCode() === EXIT.passed ? "PASSED" : "FAILED";
    const rate = (count: number): string => (count / wallSeconds).toFixed(wallSeconds > count ? 2 : 0);
    lines.push(
      `${verdict} runs=${this.runs} passed=${this.passed} failed=${this.failed.length} events=${this.events} ` +
        `simulated=${this.simulatedSeconds.toFixed(0)}s wall=${wallSeconds.toFixed(1)}s ` +
        `speed=${rate(this.simulatedSeconds)}x seeds/s=${rate(this.runs)} events/s=${rate(this.events)}`,
    );
    return lines.join("\n");
  }
}

function column(count: number): string {
  return String(count).padStart(10);
}
