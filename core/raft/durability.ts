/**
 * Which part of the log our own disk holds. Knows tickets and entry ids; knows no disk.
 *
 * The one hard idea: the same (term, index) can be written, truncated and written again, so "index 5 is written" says
 * nothing. A ticket names a write, and a truncation takes away what writes begun before it may still vouch for.
 */
import { invariant } from "../invariant.ts";
import { NO_ENTRY, type EntryId, type Ticket } from "../types.ts";

export class Durability {
  /** The last entry that is both on disk and in the log; below the log's base: nothing of it is. */
  durable: EntryId;
  /** The last write that was handed out; 0: none yet. */
  begun = 0 as Ticket;
  /** Every write up to this one is on disk. */
  through = 0 as Ticket;
  /** Payload bytes of the writes under way. */
  bytesInFlight = 0;
  private readonly inFlight: { readonly ticket: Ticket; readonly bytes: number; last: EntryId }[] = [];

  /** @param durable the last entry that recovery found. */
  constructor(durable: EntryId) {
    this.durable = durable;
  }

  /** A write of so many payload bytes was handed out; once done, the disk holds the log up to `last`. */
  begin(last: EntryId, bytes: number): Ticket {
    this.begun = (this.begun + 1) as Ticket;
    this.bytesInFlight += bytes;
    this.inFlight.push({ ticket: this.begun, bytes, last });
    return this.begun;
  }

  done(ticket: Ticket): void {
    const write = this.inFlight.shift();
    invariant(write?.ticket === ticket, "writes are acknowledged in order");
    this.bytesInFlight -= write.bytes;
    this.durable = write.last;
    this.through = ticket;
  }

  /** The log now ends at `keep`. A write begun before may no longer vouch for more. */
  truncate(keep: EntryId): void {
    if (this.durable.index > keep.index) this.durable = keep;
    for (const write of this.inFlight) if (write.last.index > keep.index) write.last = keep;
  }

  /** A snapshot has taken the place of the log: no write begun before vouches for anything of it. */
  reset(): void {
    this.durable = NO_ENTRY;
    for (const write of this.inFlight) write.last = NO_ENTRY;
  }
}
