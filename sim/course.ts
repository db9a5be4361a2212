/**
 * What may be otherwise in a run than its plan alone says: what is left out of it, and who listens. Shrinking a failing
 * run is looking for a course with less in it.
 */
import type { LeavesOut } from "./chance.ts";
import type { Violation } from "./oracles/boundary.ts";
import type { WorkloadOptions } from "./workload/options.ts";

/** Something that has taken another course than its most ordinary one. */
export interface Occurrence {
  /** Microseconds since the world began. */
  readonly at: number;
  /** Its address (chance.ts): the name of its stream, and its number there. */
  readonly stream: string;
  readonly number: number;
  readonly words: string;
}

export interface Course {
  /** What takes its most ordinary course; null: nothing has to. */
  readonly leavesOut?: LeavesOut | null;
  /** Told of whatever does not, as it occurs; of some more than once. */
  readonly onOccurrence?: (occurrence: Occurrence) => void;
  /** Undefined: the plan's seed draws the workload, too. */
  readonly options?: WorkloadOptions | undefined;
  /** Whoever runs it wants to know no more than what happens until then. */
  readonly endsAt?: number;
}

/** What a run fails by that is ended so. */
export const NOT_UNTIL_THEN: Violation = {
  oracle: "not-until-then", message: "nothing has failed until then", nodes: [], index: null,
};
