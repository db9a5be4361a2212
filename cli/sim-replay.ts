/** Runs traces again: a line, or a file of lines (# begins a comment), or a scenario. */
import { existsSync, readFileSync } from "node:fs";
import { EXIT } from "../sim/report.ts";
import { parseScenario, tell } from "../sim/shrink/scenario.ts";
import { parseTrace, type Trace } from "../sim/shrink/trace.ts";
import type { Verdict } from "../sim/shrink/verdict.ts";
import type { TraceRunner } from "./sim-trace.ts";

export interface Replay {
  readonly line: string;
  readonly trace: Trace;
}

/** What is to be replayed, or what is wrong with it. */
export function readReplays(given: string): readonly Replay[] | string {
  if (!existsSync(given)) {
    const trace = parseTrace(given);
    const isLine = /^v\d+\s/.test(given);
    if (typeof trace !== "string") return [{ line: given, trace }];
    return isLine ? trace : `--replay "${given}": there is no such file, and it is no trace (${trace})`;
  }
  const text = readFileSync(given, "utf8");
  if (/^----$/m.test(text)) {
    const scenario = parseScenario(text);
    return typeof scenario === "string" ? `${given}: ${scenario}` : [scenario];
  }
  const replays: Replay[] = [];
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const trace = parseTrace(line);
    if (typeof trace === "string") return `${given}:${at + 1}: ${trace}`;
    replays.push({ line: line.trim(), trace });
  }
  return replays.length > 0 ? replays : `${given}: there is no trace in it`;
}

/** The exit code: of several the worst. */
export async function replay(
  replays: readonly Replay[], runner: TraceRunner, print: (line: string) => void,
): Promise<number> {
  const codes: number[] = [];
  for (const { line, trace } of replays) {
    const { verdict } = await runner.run(trace);
    codes.push(exitOf(verdict));
    if (replays.length === 1) print(tell(verdict));
    print(`${verdictLine(verdict)} ${line}`);
  }
  return [EXIT.crash, EXIT.correctness, EXIT.liveness].find((code) => codes.includes(code)) ?? EXIT.passed;
}

export function exitOf({ outcome }: Verdict): number {
  return EXIT[outcome];
}

export function verdictLine({ outcome, oracle, at, hash }: Verdict): string {
  return `${outcome === "passed" ? "PASSED" : `FAILED ${oracle}`} simulated=${(at / 1e6).toFixed(3)}s hash=${hash}`;
}
