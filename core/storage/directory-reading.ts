/**
 * A member's directory as its own start would find it, and nothing changed: what tools that run while the node does not
 * begin with. A start mends and cuts; here it is only said what there is.
 */
import { type Configuration, foundingConfiguration } from "../raft/configuration.ts";
import type { SnapshotId } from "../raft/message.ts";
import { type EntryId, type Identity, NO_ENTRY, memberIdOf } from "../types.ts";
import { type Judged, type Owner, corrupt, ownerOf } from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { REPLACEMENT_FILE } from "./directory-replacement.ts";
import { isNameless } from "./disk-failure.ts";
import { resultOf } from "./disk-result.ts";
import { type DiskProcedure, FileWindow } from "./file-window.ts";
import { type FoundIdentity, IDENTITY_FILE, IDENTITY_SIZE, decodeIdentity } from "./identity-file.ts";
import { judgeLog } from "./log-recovery.ts";
import type { Log } from "./log.ts";
import { MANIFEST_FILE } from "./manifest.ts";
import { judgePages } from "./page-recovery.ts";
import type { PageSet } from "./page-set.ts";
import {
  type FoundTerm, SLOT_SIZE, TERM_FILE, TERM_FILE_SIZE, type TermSlot, decodeTermFile, lostWith,
} from "./term-file.ts";

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
  const fitting = judgeFit(log, snapshot);
  if (!fitting.ok) return fitting;
  const damage = [...identity.value.damage, ...term.value.damage, ...pages.value.damage, ...judged.value.damage];
  const lost = lostWith(slot.lost, judged.value.lost);
  const known = fitting.value ? configurations.at(-1)?.configuration : undefined;
  return {
    ok: true,
    value: {
      identity: identity.value.identity, owner, term: slot, pages: pages.value, log, tornBytes, lost, damage,
      last: fitting.value ? log.entries.last : snapshot?.entry ?? NO_ENTRY,
      configuration: known ?? snapshot?.configuration ?? foundingOf(identity.value.identity),
    },
  };
}

/** Whether the log goes on from the snapshot. Where it does not, the snapshot was being installed in its place. */
function judgeFit(log: Log, snapshot: SnapshotId | null): Judged<boolean> {
  const { base } = log.entries;
  const entry = snapshot?.entry ?? NO_ENTRY;
  if (base.index > entry.index) {
    const found = snapshot === null ? "is missing" : `is of entry ${show(entry)}`;
    return corrupt(MANIFEST_FILE, 0, `${found}, although the log begins behind entry ${show(base)}`);
  }
  return { ok: true, value: log.entries.holds(entry) };
}

/** As recoverIdentity does, and nothing is mended. */
export function* readIdentity(): DiskProcedure<Judged<FoundIdentity>> {
  const { size } = resultOf(yield { type: "open", file: IDENTITY_FILE, create: false }, "open");
  const window = new FileWindow(IDENTITY_FILE, Math.min(size ?? 0, IDENTITY_SIZE), IDENTITY_SIZE);
  const bytes = yield* window.take(0, IDENTITY_SIZE);
  return decodeIdentity(bytes, (offset) => window.unreadableIn(offset, offset + IDENTITY_SIZE / 2) === null);
}

/** As recoverTerm does, and nothing is mended. */
export function* readTerm(owner: Owner): DiskProcedure<Judged<FoundTerm>> {
  const { size } = resultOf(yield { type: "open", file: TERM_FILE, create: false }, "open");
  if (size === null) return corrupt(TERM_FILE, 0, `missing, although the ${IDENTITY_FILE} names a cluster`);
  const window = new FileWindow(TERM_FILE, Math.min(size, TERM_FILE_SIZE), TERM_FILE_SIZE);
  const bytes = yield* window.take(0, TERM_FILE_SIZE);
  return decodeTermFile(bytes, owner, (offset) => window.unreadableIn(offset, offset + SLOT_SIZE) === null);
}

function foundingOf({ cluster }: Identity): Configuration {
  return foundingConfiguration((cluster?.founders ?? []).map((one) => memberIdOf(one.node, one.incarnation)));
}

function show({ term, index }: EntryId): string {
  return `${term}/${index}`;
}
