/** The answer to a disk operation, as the kind that the operation calls for. Anything else is a bug of the driver. */
import { invariant } from "../invariant.ts";
import type { Refused } from "./block.ts";
import type { DiskFailure, DiskNews, DiskResult } from "./disk.ts";

export function resultOf<T extends DiskResult["type"]>(news: DiskNews, type: T): Extract<DiskResult, { type: T }> {
  invariant(news.type === type, "a disk answers what it was asked");
  return news as Extract<DiskResult, { type: T }>;
}

/** Of a read: what is there; null: that place of the file cannot be read. */
export function bytesOf(news: DiskNews): Uint8Array | null {
  return news.type === "failed" ? null : resultOf(news, "read").bytes;
}

/** Of an operation that takes space: whether there was enough. */
export function hadSpace(news: DiskNews): boolean {
  return news.type !== "failed";
}

/** What failed leaves nothing to go on with after all. */
export function refusedBy({ file, code, message }: DiskFailure): Refused {
  return { ok: false, fault: { type: "diskFailed", file, code, detail: message } };
}
