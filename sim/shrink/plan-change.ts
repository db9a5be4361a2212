/**
 * What of a plan a trace may have otherwise than its seed draws it: only what makes a run smaller, or plainer. Each
 * change is a whole number, so that a trace is one line that people can read and write.
 */
import { invariant } from "../../core/invariant.ts";
import type { Plan } from "../plan.ts";

/** By name: the value that takes the place of the one that was drawn. */
export type PlanChanges = Readonly<Record<string, number>>;

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** As the plan has it. */
  read(plan: Plan): number;
  change(plan: Plan, value: number): Plan;
}

type Amount = "nodes" | "joiners" | "clients" | "quietMs" | "chaosMs" | "serveMs";

function amount(name: Amount, min: number, max: number): Field {
  return { name, min, max, read: (plan) => plan[name], change: (plan, value) => ({ ...plan, [name]: value }) };
}

/** 1 as drawn, 0 without it. */
function feature(name: string, has: (plan: Plan) => boolean, without: (plan: Plan) => Plan): Field {
  return { name, min: 0, max: 0, read: (plan) => (has(plan) ? 1 : 0), change: without };
}

/** In the order in which smaller ones are tried: first what makes runs short. */
const FIELDS: readonly Field[] = [
  feature("shadows", (plan) => plan.shadowPerMille > 0, (plan) => ({ ...plan, shadowPerMille: 0 })),
  amount("chaosMs", 0, 600_000),
  amount("clients", 1, 5),
  amount("nodes", 1, 7),
  amount("joiners", 0, 3),
  feature(
    "jitter",
    ({ network, disk }) => !network.isSteady || !disk.isSteady,
    (plan) => ({ ...plan, network: { ...plan.network, isSteady: true }, disk: { ...plan.disk, isSteady: true } }),
  ),
  feature(
    "bandwidth",
    ({ network }) => network.bytesPerMs > 0,
    (plan) => ({ ...plan, network: { ...plan.network, bytesPerMs: 0 } }),
  ),
  feature("outOfSpace", (plan) => plan.outOfSpace !== "nowhere", (plan) => ({ ...plan, outOfSpace: "nowhere" })),
  feature("roles", (plan) => plan.roles !== null, (plan) => ({ ...plan, roles: null })),
  feature("leases", (plan) => plan.leaseDriftPpm !== null, (plan) => ({ ...plan, leaseDriftPpm: null })),
  amount("quietMs", 0, 60_000),
  amount("serveMs", 0, 60_000),
];

/** The first ones: what they change decides how long a run takes. */
const COSTLY = 5;

/** Changes that make a plan smaller, the largest steps first; of one field at a time. */
export function smallerPlans(plan: Plan, which: "costly" | "all"): readonly PlanChanges[] {
  return FIELDS.slice(0, which === "costly" ? COSTLY : Infinity).flatMap(({ name, min, read }) => {
    const value = read(plan);
    const steps = name.endsWith("Ms") ? [min, Math.floor(value / 8), Math.floor(value / 2)] : rangeOf(min, value);
    return [...new Set(steps)].filter((step) => step < value).map((step) => ({ [name]: step }));
  });
}

export function changePlan(plan: Plan, changes: PlanChanges): Plan {
  let changed = plan;
  for (const [name, value] of Object.entries(changes)) {
    const field = FIELDS.find((one) => one.name === name);
    invariant(field !== undefined, "a change is of a field that may be changed");
    changed = field.change(changed, value);
  }
  return changed;
}

/** What is wrong with a change; null: nothing. */
export function judgeChange(name: string, value: number): string | null {
  const field = FIELDS.find((one) => one.name === name);
  if (field === undefined) return `"${name}" is no field that a trace may change`;
  const { min, max } = field;
  const isRight = Number.isSafeInteger(value) && value >= min && value <= max;
  return isRight ? null : `${name} is a whole number from ${min} to ${max}`;
}

function rangeOf(min: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - min) }, (_, at) => min + at);
}
