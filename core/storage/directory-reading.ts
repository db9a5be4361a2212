/**
 * A member's directory as its own start would find it, and nothing changed: what tools that run while the node does not
 * begin with. A start mends and cuts; here it is only said what there is.
 */
import type { Configuration } from "../raft/configuration.ts";
import { type EntryId, type Identity, NO_ENTRY } from "../types.ts";
import { type Judged, type Owner, corrupt, ownerOf } from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { REPLACEMENT_FILE } from "./directory-replacement.ts";
import { isNameless } from "./disk-failure.ts";
import { resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { IDENTITY_FILE, readIdentity } from "./identity-file.ts";
import { judgeLog } from "./log-recovery.ts";
import type { Log } from "./log.ts";
import { judgePages } from "./page-recovery.ts";
import type { PageSet } from "./page-set.ts";
import { judgeFit, latestConfiguration } from "./snapshot-fit.ts";
import { TERM_FILE, type TermSlot, lostWith, readTerm } from "./term-file.ts";

/** How much is read at once. */
export const READING_CHUNK_BYTES = 1024 * 1024;

/** All that a member's directory says, as far as it can be relied on. */
export interface OfflineMember {
  readonly identity: Identity;
  readonly owner: Owner;
  readonly term: TermSlot;
  readonly pages: PageSet;
  /** Begins behind the snapshot's entry, or earlier. */
  readonly log: Log;
  /** What the state is the effect of once the whole log is applied. */
  readonly last: EntryId;
  /** The latest one that is written down; it takes effect when it is committed. */
  readonly configuration: Configuration;
  /** What this disk may have acknowledged and has no more; null: nothing. */
  readonly lost: EntryId | null;
  /** Bytes of a torn write, which the next start cuts. */
  readonly tornBytes: number;
  /** What is damaged, and mended from a second copy or cut off by the next start. */
  readonly damage: readonly StorageFault[];
}

/** null: no node has used the directory, or only one that has never been of a cluster. */
export function* readMember(chunkBytes = READING_CHUNK_BYTES): DiskProcedure<Judged<OfflineMember | null>> {
  const names = resultOf(yield { type: "list" }, "list").files.filter((file) => !isNameless(file));
  if (names.includes(REPLACEMENT_FILE)) {
    return corrupt(REPLACEMENT_FILE, 0, "the files were being replaced when the process ended: start the node once");
  }
  if (!names.includes(IDENTITY_FILE)) return { ok: true, value: null };
  const identity = yield* readIdentity();
  if (!identity.ok) return identity;
  if (identity.value.identity.cluster === null) return { ok: true, value: null };
  const owner = ownerOf(identity.value.identity);
  const term = yield* readTerm(owner);
  if (!term.ok) return term;
  const { slot } = term.value;
  if (slot.isQuarantined) {
    return corrupt(TERM_FILE, 0, "says that log and snapshot are of no use: the next start discards them");
  }
  const pages = yield* judgePages(owner, names);
  if (!pages.ok) return pages;
  const snapshot = pages.value.snapshot;
  const judged = yield* judgeLog({ owner, term: slot, names, snapshot: snapshot?.entry ?? null, chunkBytes });
  if (!judged.ok) return judged;
  const { log, configurations, tornBytes } = judged.value;
  const unfit = judgeFit(log.entries.base, snapshot?.entry ?? null);
  if (unfit !== null) return unfit;
  // Where it does not go on from the snapshot, that was being installed in its place.
  const goesOn = log.entries.holds(snapshot?.entry ?? NO_ENTRY);
  const damage = [...identity.value.damage, ...term.value.damage, ...pages.value.damage, ...judged.value.damage];
  const lost = lostWith(slot.lost, judged.value.lost);
  return {
    ok: true,
    value: {
      identity: identity.value.identity, owner, term: slot, pages: pages.value, log, tornBytes, lost, damage,
      last: goesOn ? log.entries.last : snapshot?.entry ?? NO_ENTRY,
      configuration: latestConfiguration(identity.value.identity, goesOn ? { configurations } : null, snapshot),
    },
  };
}
