/**
 * What Storage knows of a member's files and goes on from. Each of its parts is replaced as a whole, and in one place.
 */
import type { Owner } from "./block.ts";
import type { LogFile } from "./log-file.ts";
import type { StoredSnapshot } from "./snapshot-file.ts";
import type { TermSlot } from "./term-file.ts";

export interface OpenFiles {
  readonly owner: Owner;
  /** As written, or about to be: what is durable of it, it knows itself. Replaced by log-rewrite.ts. */
  log: LogFile;
  /** The slot that is durable. Replaced by group-commit.ts. */
  term: TermSlot;
  /** What a read of the file `snapshot` ordered now would find; null: there is none. Replaced by snapshot-write.ts. */
  snapshot: StoredSnapshot | null;
}
