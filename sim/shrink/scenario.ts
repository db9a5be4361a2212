/**
 * A trace as people read it: a text scenario. Above the dashes stand comments and the trace's line, below them what
 * occurs in it, in the order of time, each with its address, and what it comes to. The second part follows from the
 * first: a test runs each scenario of test/testdata/sim again and compares.
 *
 *     # A leader that counts copies of an old entry commits what the next leader lacks.
 *     v1 database=model seed=17 nodes=3 clients=1 events=1 keep=nemesis/crashOfOne:2
 *     ----
 *        1.204s  b loses power                              nemesis crashOfOne #2
 *        2.310s  FAILED leader-completeness: the leader of term 3 lacks entry 2/7
 */
import { inSeconds } from "../words.ts";
import { parseTrace, type Trace } from "./trace.ts";
import type { Verdict } from "./verdict.ts";

const DASHES = "----";
const TIME_WIDTH = 10;
const WORDS_WIDTH = 60;

export interface Scenario {
  readonly comments: readonly string[];
  /** What stands there, as it was written. */
  readonly line: string;
  readonly trace: Trace;
  /** Below the dashes. */
  readonly told: string;
}

export function formatScenario(comments: readonly string[], line: string, verdict: Verdict): string {
  return [...comments.map((comment) => `# ${comment}`.trimEnd()), line, DASHES, tell(verdict), ""].join("\n");
}

/** What occurs, and what it comes to. */
export function tell({ occurrences, at, outcome, oracle, message }: Verdict): string {
  const events = occurrences.map((one) => {
    return `${time(one.at)}  ${one.words.padEnd(WORDS_WIDTH)}  ${one.stream} #${one.number}`;
  });
  const [first] = message.split("\n");
  return [...events, `${time(at)}  ${outcome === "passed" ? "PASSED" : `FAILED ${oracle}: ${first}`}`].join("\n");
}

/** The scenario, or what is wrong with its text. */
export function parseScenario(text: string): Scenario | string {
  const [above = "", ...below] = text.split(`\n${DASHES}\n`);
  const lines = above.split("\n").filter((line) => line.trim() !== "");
  const comments = lines.filter((line) => line.startsWith("#"));
  const [line, ...more] = lines.filter((one) => !one.startsWith("#"));
  if (line === undefined || more.length > 0) return "one line of a trace is expected above the dashes";
  const trace = parseTrace(line);
  if (typeof trace === "string") return trace;
  const told = below.join(`\n${DASHES}\n`).trimEnd();
  return { comments: comments.map((comment) => comment.slice(1).trim()), line, trace, told };
}

function time(us: number): string {
  return inSeconds(us).padStart(TIME_WIDTH);
}
