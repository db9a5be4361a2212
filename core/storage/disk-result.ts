/** The answer to a disk operation, as the kind that the operation calls for. Anything else is a bug of the driver. */
import { invariant } from "../invariant.ts";
import type { DiskResult } from "./disk.ts";

export function resultOf<T extends DiskResult["type"]>(result: DiskResult, type: T): Extract<DiskResult, { type: T }> {
  invariant(result.type === type, "a disk answers what it was asked");
  return result as Extract<DiskResult, { type: T }>;
}
