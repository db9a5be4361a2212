/**
 * The reserve: a file of zeros that holds the room for the next checkpoint, whatever it will have to store. It is given
 * up for a checkpoint that finds no other room, and made again once that is stored.
 *
 * The hard idea is how large it is. A payload is at least as large as the pages that it changes (core/wal/payload.ts):
 * so a checkpoint has at most as many bytes of pages as the log has behind the entry of the stored snapshot, and
 * storage knows that without knowing any page. A payload is written only where the reserve covers what the log will
 * then have. So whatever the node has taken upon itself fits, by construction: on the disk as it is, or in the reserve.
 */
import type { PageCut } from "../pages/page-cut.ts";
import type { StorageLimits } from "./boundary.ts";
import type { Log } from "./log.ts";
import { PAGE_FILE_HEADER_SIZE, pageFileSize } from "./page-file.ts";
import type { PageSet, StoredSnapshot } from "./page-set.ts";

/** Of a manifest where none is stored yet. */
const FIRST_MANIFEST_SIZE = 16 * 1024;
/** The header of a file of pages, and what its directory is filled up with. */
const FILE_HEAD_SIZE = 2 * PAGE_FILE_HEADER_SIZE;

export class Reserve {
  /** Bytes of its file; 0: it is not there. */
  size: number;
  /** It has been given up, for a checkpoint mostly: until that is stored or abandoned, its room is nobody else's. */
  isLent = false;
  /** A piece of a snapshot from elsewhere is being stored: that takes space, too. */
  isReceiving = false;

  constructor(size: number) {
    this.size = size;
  }
}

/** What is to be stored, and where. */
export interface CoveredFiles {
  readonly log: Log;
  readonly pages: PageSet;
  readonly reserve: Reserve;
}

/** How large it has to be for a checkpoint of all that the log may have up to a position. */
export function reserveFor({ log, pages }: CoveredFiles, end: number, limits: StorageLimits): number {
  const { stored } = pages;
  const owed = end - log.positionBehind(stored?.state.entry.index ?? 0);
  return limits.reserveBytes + manifestSizeOf(stored) + FILE_HEAD_SIZE + Math.max(0, owed) + pages.damagedBytes;
}

/** How much room it takes to store the cut. */
export function checkpointSize({ pages }: Pick<CoveredFiles, "pages">, { numbers, pageSize }: PageCut): number {
  return manifestSizeOf(pages.stored) + (numbers.length === 0 ? 0 : pageFileSize(numbers.length, pageSize));
}

function manifestSizeOf(stored: StoredSnapshot | null): number {
  return stored?.nextManifestSize ?? FIRST_MANIFEST_SIZE;
}
