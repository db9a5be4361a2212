/**
 * From a directory to a state: what any end of the process left behind is judged, mended where only unacknowledged
 * bytes are concerned, and made durable. And the other way round: how the files come into being.
 *
 * The order in which they do is what recovery relies on. An identity without a cluster is the first file of all; log
 * and hard state are complete and durable before the identity that names the cluster takes its place; every file
 * arrives under its name by a rename. So an identity with a cluster promises both others, and no file is ever
 * half-made. Leftovers end in `.new` or `.part`; log and hard state of an unfinished bootstrap are replaced by the
 * next.
 *
 * A snapshot is durable before the log loses what it has, and before a log that does not hold its entry is replaced. So
 * the log never begins behind an entry that the snapshot has not.
 */
import type { RecoveredLog } from "../raft/boundary.ts";
import { type EntryId, type Identity, NO_ENTRY } from "../types.ts";
import { type Judged, type Owner, brokenRule, corrupt, ownerOf } from "./block.ts";
import type { Recovered, StorageLimits, StorageOptions } from "./boundary.ts";
import { resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { IDENTITY_FILE, MAX_IDENTITY_SIZE, decodeIdentity, encodeIdentity } from "./identity-file.ts";
import { LOG_FILE, LOG_HEADER_SIZE } from "./log-file.ts";
import { recoverLog } from "./log-recovery.ts";
import { newLog, rewriteLog } from "./log-rewrite.ts";
import type { OpenFiles } from "./open-files.ts";
import { SNAPSHOT_FILE, SNAPSHOT_PART, recoverSnapshot } from "./snapshot-file.ts";
import {
  FIRST_SLOT, INITIAL_HARD_STATE, TERM_FILE, TERM_FILE_SIZE, decodeTermFile, encodeNewTermFile,
} from "./term-file.ts";

export interface Recovery {
  readonly recovered: Recovered;
  /** null: this node belongs to no cluster yet. */
  readonly files: OpenFiles | null;
}

/** How much recovery reads at once. */
export const RECOVERY_CHUNK_BYTES = 1024 * 1024;

const NEW_SUFFIX = ".new";
const OWN_FILES: readonly string[] = [IDENTITY_FILE, TERM_FILE, LOG_FILE, SNAPSHOT_FILE];

/** @param chunkBytes how much is read at once; a multiple of 8 */
export function* recover(options: StorageOptions, chunkBytes = RECOVERY_CHUNK_BYTES): DiskProcedure<Judged<Recovery>> {
  const files = resultOf(yield { type: "list" }, "list").files;
  for (const file of files) if (isUnfinished(file)) yield { type: "unlink", file };
  if (!files.includes(IDENTITY_FILE)) {
    const orphan = [TERM_FILE, LOG_FILE, SNAPSHOT_FILE].find((file) => files.includes(file));
    return orphan === undefined ? fresh(null) : corrupt(IDENTITY_FILE, 0, `missing, although ${orphan} exists`);
  }
  const identity = yield* recoverIdentity(options);
  if (!identity.ok) return identity;
  // A rename may be visible and yet not durable: nothing is said in its name before it is.
  yield { type: "syncDirectory" };
  if (identity.value.cluster === null) return fresh(identity.value);
  return yield* recoverMember(identity.value, options.limits, chunkBytes);
}

function isUnfinished(file: string): boolean {
  return file === SNAPSHOT_PART || (file.endsWith(NEW_SUFFIX) && OWN_FILES.includes(file.slice(0, -NEW_SUFFIX.length)));
}

function fresh(identity: Identity | null): Judged<Recovery> {
  const log: RecoveredLog = { base: NO_ENTRY, terms: [], last: NO_ENTRY, configurations: [] };
  const recovered: Recovered = { identity, hardState: INITIAL_HARD_STATE, log, snapshot: null, tornBytes: 0 };
  return { ok: true, value: { recovered, files: null } };
}

function* recoverIdentity(options: StorageOptions): DiskProcedure<Judged<Identity>> {
  const file = IDENTITY_FILE;
  const size = resultOf(yield { type: "open", file, create: false }, "open").size ?? 0;
  if (size > MAX_IDENTITY_SIZE) return corrupt(file, 0, `has ${size} bytes, more than an identity can have`);
  const decoded = decodeIdentity(resultOf(yield { type: "read", file, offset: 0, length: size }, "read").bytes);
  if (!decoded.ok) return decoded;
  const { node } = decoded.value;
  if (node === options.node) return decoded;
  return { ok: false, fault: { type: "wrongIdentity", file, found: `node ${node}`, expected: `node ${options.node}` } };
}

function* recoverMember(
  identity: Identity, limits: StorageLimits, chunkBytes: number,
): DiskProcedure<Judged<Recovery>> {
  const owner = ownerOf(identity);
  const termSize = resultOf(yield { type: "open", file: TERM_FILE, create: false }, "open").size;
  const size = resultOf(yield { type: "open", file: LOG_FILE, create: false }, "open").size;
  if (termSize === null) return corrupt(TERM_FILE, 0, "missing, although the identity names a cluster");
  if (size === null) return corrupt(LOG_FILE, 0, "missing, although the identity names a cluster");

  const read = yield { type: "read", file: TERM_FILE, offset: 0, length: TERM_FILE_SIZE };
  const term = decodeTermFile(resultOf(read, "read").bytes, owner);
  if (!term.ok) return term;
  yield { type: "sync", file: TERM_FILE };
  const snapshot = yield* recoverSnapshot(owner);
  if (!snapshot.ok) return snapshot;
  const recovered = yield* recoverLog({ owner, term: term.value, size, chunkBytes });
  if (!recovered.ok) return recovered;

  const files: OpenFiles = { owner, log: recovered.value.log, term: term.value, snapshot: snapshot.value };
  const isDiscarded = yield* reconcile(files, limits);
  if (!isDiscarded.ok) return isDiscarded;
  const { base, runs, last } = files.log.entries;
  const configurations = isDiscarded.value ? [] : recovered.value.configurations;
  return {
    ok: true,
    value: {
      recovered: {
        identity,
        hardState: term.value.hardState,
        log: { base, terms: runs, last, configurations },
        snapshot: snapshot.value?.id ?? null,
        tornBytes: recovered.value.tornBytes,
      },
      files,
    },
  };
}

/**
 * Makes log and snapshot fit together. A snapshot whose entry the log does not hold was being installed: the log, which
 * is behind it or contradicts it, is durably discarded, as it was about to be. True: it was.
 */
function* reconcile(files: OpenFiles, limits: StorageLimits): DiskProcedure<Judged<boolean>> {
  const { base } = files.log.entries;
  const entry = files.snapshot?.id.entry ?? NO_ENTRY;
  if (files.snapshot === null && base.index > 0) {
    return corrupt(SNAPSHOT_FILE, 0, `missing, although the log begins behind entry ${show(base)}`);
  }
  if (base.index > entry.index || (base.index === entry.index && base.term !== entry.term)) {
    return corrupt(LOG_FILE, 0, `begins behind entry ${show(base)}, although the snapshot is of ${show(entry)}`);
  }
  if (entry.term > files.term.hardState.currentTerm) {
    return brokenRule(SNAPSHOT_FILE, 0, "a snapshot's term is at most the current term");
  }
  if (files.log.entries.holds(entry)) return { ok: true, value: false };
  const refused = yield* rewriteLog(files, entry, limits);
  return refused ?? { ok: true, value: true };
}

function show({ term, index }: EntryId): string {
  return `${term}/${index}`;
}

/** Makes `identity` durable; one with a cluster after log and hard state, which it promises. */
export function* writeIdentity(identity: Identity, preallocateBytes: number): DiskProcedure<OpenFiles | null> {
  const files = identity.cluster === null ? null : yield* createFiles(ownerOf(identity), preallocateBytes);
  yield* replaceFile(IDENTITY_FILE, encodeIdentity(identity));
  return files;
}

function* createFiles(owner: Owner, preallocateBytes: number): DiskProcedure<OpenFiles> {
  const { log, header } = newLog(owner, NO_ENTRY);
  log.allocated = Math.ceil(LOG_HEADER_SIZE / preallocateBytes) * preallocateBytes;
  yield* replaceFile(LOG_FILE, header, log.allocated);
  yield* replaceFile(TERM_FILE, encodeNewTermFile(owner));
  return { owner, log, term: FIRST_SLOT, snapshot: null };
}

/** Puts a file of these bytes, filled up with zeros to `size`, in the place of any before it: all of it or nothing. */
function* replaceFile(file: string, bytes: Uint8Array, size = bytes.length): DiskProcedure<void> {
  const unfinished = file + NEW_SUFFIX;
  yield { type: "open", file: unfinished, create: true };
  if (size > bytes.length) yield { type: "preallocate", file: unfinished, size };
  yield { type: "write", file: unfinished, offset: 0, bytes };
  yield { type: "sync", file: unfinished };
  yield { type: "rename", from: unfinished, to: file };
  yield { type: "syncDirectory" };
}
