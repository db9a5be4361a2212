/**
 * What Storage knows of a member's files and goes on from. Each of its parts is replaced as a whole, and in one place.
 */
import type { Owner } from "./block.ts";
import type { Log } from "./log.ts";
import type { PageSet } from "./page-set.ts";
import type { Reserve } from "./reserve.ts";
import type { TermSlot } from "./term-file.ts";

export interface OpenFiles {
  readonly owner: Owner;
  /** As written, or about to be: what is durable of it, it knows itself. Replaced by log-drop.ts. */
  log: Log;
  /** The slot that is durable. Replaced by group-commit.ts, and by term-file.ts where only a mark changes. */
  term: TermSlot;
  /** The stored snapshot, and the files that it consists of. */
  readonly pages: PageSet;
  readonly reserve: Reserve;
}
