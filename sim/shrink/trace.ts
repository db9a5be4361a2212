/**
 * A trace: a run, or what was left of one when it was made smaller. It is a seed, what of the plan is otherwise, and
 * the occurrences that are kept; what is not kept takes its most ordinary course. As one line:
 *
 *     v1 database=model seed=17 nodes=3 clients=1 events=3 keep=nemesis/crashOfOne:2;network/a>b:7-8
 *
 * `events` counts what is kept, so that a line that was cut off is known. `keep=all`: nothing is left out. What a line
 * means depends on the program that reads it, as a seed does: it is a test of that program's own.
 */
import type { LeavesOut } from "../chance.ts";
import type { DatabaseKind } from "../environment.ts";
import { drawPlan, type Plan } from "../plan.ts";
import { countKept, formatKept, type Kept, parseKept } from "./kept.ts";
import { changePlan, judgeChange, type PlanChanges } from "./plan-change.ts";

export const TRACE_VERSION = "v1";

export interface Trace {
  readonly database: DatabaseKind;
  readonly seed: number;
  readonly changes: PlanChanges;
  /** null: everything. */
  readonly kept: Kept | null;
}

export function planOf({ seed, changes }: Trace): Plan {
  return changePlan(drawPlan(seed), changes);
}

/** null: nothing. */
export function leavesOut(kept: Kept | null): LeavesOut | null {
  return kept === null ? null : (stream, number) => kept.get(stream)?.has(number) !== true;
}

export function formatTrace({ database, seed, changes, kept }: Trace): string {
  const changed = Object.entries(changes).map(([name, value]) => `${name}=${value}`);
  const keep = kept === null ? ["keep=all"] : [`events=${countKept(kept)}`, `keep=${formatKept(kept)}`];
  return [TRACE_VERSION, `database=${database}`, `seed=${seed}`, ...changed, ...keep].join(" ");
}

/** The trace, or what is wrong with its line. */
export function parseTrace(line: string): Trace | string {
  const [version = "", ...words] = line.trim().split(/\s+/);
  if (!/^v\d+$/.test(version)) return `a trace begins with its version, as "${TRACE_VERSION}"`;
  if (version !== TRACE_VERSION) return `the trace is of version ${version}; this program reads ${TRACE_VERSION}`;
  const fields = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf("=");
    const name = word.slice(0, Math.max(0, at));
    if (name === "" || fields.has(name)) return `"${word}" is no field=value, or is there twice`;
    fields.set(name, word.slice(at + 1));
  }
  const take = (name: string): string | null => {
    const text = fields.get(name) ?? null;
    fields.delete(name);
    return text;
  };
  const [database, seed, events, keep] = [take("database"), take("seed"), take("events"), take("keep")];
  if (database !== "model" && database !== "sqlite") return "database=model or database=sqlite is expected";
  if (seed === null || !isWhole(seed)) return "seed=, a whole number, is expected";
  const kept = keep === null ? "keep= is missing" : readKept(events, keep);
  if (typeof kept === "string") return kept;
  const changes: Record<string, number> = {};
  for (const [name, text] of fields) {
    const wrong = judgeChange(name, isWhole(text) ? Number(text) : Number.NaN);
    if (wrong !== null) return wrong;
    changes[name] = Number(text);
  }
  return { database, seed: Number(seed), changes, kept };
}

function readKept(events: string | null, keep: string): Kept | null | string {
  if (keep === "all") return events === null ? null : "events= counts what is kept: not with keep=all";
  const kept = parseKept(keep);
  if (kept === null) return `keep="${keep}" is no list of addresses`;
  if (String(countKept(kept)) === events) return kept;
  return `events=${events ?? ""} is expected to be ${countKept(kept)}, as many as are kept: the line may be cut off`;
}

function isWhole(text: string): boolean {
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text));
}
