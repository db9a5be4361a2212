/** The arguments of the operators' functions, judged before anything is touched (cli/options.ts: those of open). */
import path from "node:path";
import { OperatorError } from "./operator-error.ts";
import { show } from "./options.ts";

/** The whole path. */
export function checkPath(option: "directory" | "file", given: unknown): string {
  if (typeof given === "string" && given !== "" && !given.includes("\0")) return path.resolve(given);
  throw invalid(option, `${option} is ${show(given)}: pass a path`);
}

export function checkOptions<Name extends string>(
  caller: string, given: unknown, known: readonly Name[],
): Partial<Record<Name, unknown>> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw invalid(null, `${caller} was given ${show(given)}: pass an object of options`);
  }
  const unknown = Object.keys(given).find((name) => !known.some((one) => one === name));
  if (unknown === undefined) return given as Partial<Record<Name, unknown>>;
  throw invalid(unknown, `there is no option "${unknown}": ${caller} takes ${known.join(", ")}`);
}

export function checkFlag(option: string, given: unknown): boolean {
  if (given === undefined) return false;
  if (typeof given !== "boolean") throw invalid(option, `${option} is ${show(given)}: pass true or false`);
  return given;
}

/** null: left out. */
export function checkCount(option: string, given: unknown, least: number): number | null {
  if (given === undefined) return null;
  if (typeof given === "number" && Number.isSafeInteger(given) && given >= least) return given;
  throw invalid(option, `${option} is ${show(given)}: pass a whole number, at least ${least}`);
}

export function invalid(option: string | null, message: string): OperatorError {
  return new OperatorError("InvalidOption", option, message);
}
