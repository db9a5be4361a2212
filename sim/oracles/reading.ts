/** Who read, when, and what may be demanded of what was seen. */
import type { Consistency } from "../../core/client/boundary.ts";

export interface Reading {
  readonly application: string;
  readonly consistency: Consistency;
  /** How many events of the history came before. */
  readonly begunAt: number;
}
