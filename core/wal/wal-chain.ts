/**
 * Verifies frames one after another, as SQLite's own recovery would (fileformat2 §4.4): a frame counts only if its
 * salts are the WAL's and its checksum continues that of the frame before. The chain stands still at the first fault:
 * what comes after a broken frame belongs to nobody.
 */
import { invariant } from "../invariant.ts";
import type { DecodeFault } from "../bytes.ts";
import { decodeFrameHeader } from "./wal-format.ts";
import type { FrameHeader, Salt } from "./wal-format.ts";
import { sameChecksum, walChecksum } from "./wal-checksum.ts";
import type { ByteOrder, WalChecksum } from "./wal-checksum.ts";

export type AcceptedFrame =
  | { readonly ok: true; readonly header: FrameHeader }
  | { readonly ok: false; readonly fault: DecodeFault };

export class WalChain {
  /** The checksum of the last frame accepted, or of the WAL header before the first. */
  checksum: WalChecksum;
  private readonly order: ByteOrder;
  private readonly salt: Salt;

  constructor(order: ByteOrder, salt: Salt, checksum: WalChecksum) {
    this.order = order;
    this.salt = salt;
    this.checksum = checksum;
  }

  /** Judges the frame whose header lies at `offset` of `headers`; offsets of faults count from the frame's start. */
  accept(headers: Uint8Array, offset: number, page: Uint8Array): AcceptedFrame {
    invariant(page.length % 8 === 0, "a page is a whole number of checksum words");
    const header = decodeFrameHeader(headers, offset);
    if (header.pageNumber === 0) return fault("a frame's page number is not 0", 0);
    if (header.salt[0] !== this.salt[0] || header.salt[1] !== this.salt[1]) {
      return fault("a frame's salts are those of its WAL", 8);
    }
    const afterHeader = walChecksum(this.order, headers, offset, offset + 8, this.checksum);
    const checksum = walChecksum(this.order, page, 0, page.length, afterHeader);
    if (!sameChecksum(checksum, header.checksum)) {
      return fault("a frame's checksum continues that of the frame before", 16);
    }
    this.checksum = checksum;
    return { ok: true, header };
  }
}

function fault(rule: string, offset: number): AcceptedFrame {
  return { ok: false, fault: { rule, offset } };
}
