/**
 * From a directory to a state: what any end of the process left behind is judged, mended as far as that can be done
 * here, and made durable. And the other way round: how the files come into being.
 *
 * First of all a replacement of the whole directory is completed (directory-replacement.ts): until that is done its
 * files are of two lives.
 *
 * The order in which they do is what recovery relies on. An identity without a cluster is the first file of all; log
 * and hard state are complete and durable before the identity that names the cluster takes its place; every file
 * arrives under its name by a rename. So an identity with a cluster promises both others, and no file is ever
 * half-made. Leftovers end in `.new` or `.part`; log and hard state of an unfinished bootstrap are replaced by the
 * next.
 *
 * A snapshot is durable before the log loses what it has, and before a log that does not hold its entry is replaced. So
 * the log never begins behind an entry that the snapshot has not.
 *
 * Damage (rule 13), in this order:
 * 1. What stands there twice is mended from its second copy.
 * 2. Judging only reads. Then a marker is made durable: the highest entry that this disk may have acknowledged and is
 *    about to lose. Whoever reads the directory after a crash finds it, however far the rest has come.
 * 3. The log is cut at the hole; or, where the snapshot or all of the log is of no use, the mark says so as well
 *    (quarantine) and both are discarded. Then the mark goes and the marker stays: consensus refills the rest.
 * 4. Where there may be nobody to fetch it from (sole-voter.ts), nothing is changed, and the damage is the answer.
 */
import type { RecoveredLog } from "../raft/boundary.ts";
import type { SnapshotPoint } from "../raft/message.ts";
import { type EntryId, type Identity, NO_ENTRY } from "../types.ts";
import { type Judged, type Owner, type Refused, brokenRule, corrupt, ownerOf } from "./block.ts";
import type { Recovered, StorageFault, StorageLimits, StorageOptions } from "./boundary.ts";
import { completeReplacement } from "./directory-replacement.ts";
import { isNameless } from "./disk-failure.ts";
import { refusedBy, resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { IDENTITY_FILE, encodeIdentity, recoverIdentity } from "./identity-file.ts";
import { createLog, resetLog } from "./log-drop.ts";
import { type JudgedLog, judgeLog, settleLog } from "./log-recovery.ts";
import { growReserve, reserveSize } from "./log-space.ts";
import { MANIFEST_FILE } from "./manifest.ts";
import type { OpenFiles } from "./open-files.ts";
import { isPageFile } from "./page-file.ts";
import { readManifest, recoverPages } from "./page-recovery.ts";
import { PageSet, removeUnused } from "./page-set.ts";
import { Reserve, reserveFor } from "./reserve.ts";
import { isSegmentFile } from "./segment-file.ts";
import { judgeFit } from "./snapshot-fit.ts";
import { isFoundedAlone } from "./sole-voter.ts";
import {
  FIRST_SLOT, INITIAL_HARD_STATE, TERM_FILE, type TermSlot, encodeNewTermFile, lostWith, recoverTerm, writeSlot,
} from "./term-file.ts";

export interface Recovery {
  readonly recovered: Recovered;
  /** null: this node belongs to no cluster yet. */
  readonly files: OpenFiles | null;
}

/** How much recovery reads at once. */
export const RECOVERY_CHUNK_BYTES = 1024 * 1024;

/** What judging has found of a member, before anything is changed. */
interface Findings {
  readonly identity: Identity;
  readonly owner: Owner;
  readonly names: readonly string[];
  readonly term: TermSlot;
  /** null: of no use. */
  readonly pages: PageSet | null;
  /** null: to be discarded, whatever is in it. */
  readonly log: JudgedLog | null;
  /** null: nothing. */
  readonly lost: EntryId | null;
  readonly damage: readonly StorageFault[];
}

/** @param chunkBytes how much is read at once; a multiple of 4096 */
export function* recover(options: StorageOptions, chunkBytes = RECOVERY_CHUNK_BYTES): DiskProcedure<Judged<Recovery>> {
  const completed = yield* completeReplacement();
  if (!completed.ok) return completed;
  const listed = resultOf(yield { type: "list" }, "list").files;
  const names = listed.filter((file) => !isNameless(file));
  for (const file of listed) if (isNameless(file)) yield { type: "unlink", file };
  if (!names.includes(IDENTITY_FILE)) {
    const orphan = names.find((name) => name === TERM_FILE || name === MANIFEST_FILE || isSegmentFile(name));
    return orphan === undefined ? fresh(null, []) : corrupt(IDENTITY_FILE, 0, `missing, although ${orphan} exists`);
  }
  const read = yield* recoverIdentity();
  if (!read.ok) return read;
  const { identity, damage } = read.value;
  if (identity.node !== options.node) {
    const [found, expected] = [`node ${identity.node}`, `node ${options.node}`];
    return { ok: false, fault: { type: "wrongIdentity", file: IDENTITY_FILE, found, expected } };
  }
  // A rename may be visible and yet not durable: nothing is said in its name before it is.
  yield { type: "syncDirectory" };
  if (identity.cluster === null) return fresh(identity, damage);
  const judged = yield* judge(identity, names, damage, chunkBytes);
  if (!judged.ok) return judged;
  return yield* settle(judged.value, options.limits);
}

function fresh(identity: Identity | null, damage: readonly StorageFault[]): Judged<Recovery> {
  const log: RecoveredLog = { base: NO_ENTRY, terms: [], last: NO_ENTRY, configurations: [] };
  const recovered: Recovered = {
    identity, hardState: INITIAL_HARD_STATE, log, snapshot: null, lost: null, tornBytes: 0, damage,
  };
  return { ok: true, value: { recovered, files: null } };
}

/** Only reads, but for what is mended from its own second copy. */
function* judge(
  identity: Identity, names: readonly string[], mended: readonly StorageFault[], chunkBytes: number,
): DiskProcedure<Judged<Findings>> {
  const owner = ownerOf(identity);
  const read = yield* recoverTerm(owner);
  if (!read.ok) return read;
  const { slot: term } = read.value;
  const damage = [...mended, ...read.value.damage];
  const discarded = { identity, owner, names, term, pages: null, log: null, lost: term.lost };
  if (term.isQuarantined) return { ok: true, value: { ...discarded, damage } };

  const pages = yield* recoverPages(owner, names);
  if (!pages.ok && pages.fault.type !== "corrupt") return pages;
  const snapshot = pages.ok ? pages.value.snapshot : null;
  if (pages.ok) damage.push(...pages.value.damage);
  const log = yield* judgeLog({ owner, term, names, snapshot: snapshot?.entry ?? null, chunkBytes });
  if (!log.ok) return log;
  const { base, last } = log.value.log.entries;
  // What a torn write may have left behind is damage only if the log knows that it was durable.
  if (log.value.log.marked.generation >= term.generation) damage.push(...read.value.torn);
  damage.push(...log.value.damage);
  const lost = lostWith(term.lost, log.value.lost);
  // The manifest may say what it is of, though the files that it names are of no use.
  const named = pages.ok ? snapshot : yield* namedSnapshot(owner);
  const lostWhole = lostWith(lost, last, named?.entry ?? null);
  if (!pages.ok) damage.push(pages.fault);
  else {
    if (snapshot !== null && snapshot.entry.term > term.hardState.currentTerm) {
      return brokenRule(MANIFEST_FILE, 0, "a snapshot's term is at most the current term");
    }
    const unfit = judgeFit(base, snapshot?.entry ?? null);
    if (unfit === null) return judgeAlone({ ...discarded, pages: pages.value, log: log.value, lost, damage });
    damage.push(unfit.fault);
  }
  return judgeAlone({ ...discarded, lost: lostWhole, damage });
}

function* namedSnapshot(owner: Owner): DiskProcedure<SnapshotPoint | null> {
  const read = yield* readManifest(owner);
  return read.ok ? read.value.manifest.state : null;
}

/** Who may be the only voter has nobody to fetch from what it has lost: then nothing is touched. */
function judgeAlone(findings: Findings): Judged<Findings> {
  const { term, lost, pages, log, damage } = findings;
  const isNew = pages === null || log === null || (lost !== null && lost !== term.lost);
  const found = damage.at(-1);
  if (!isNew || found === undefined) return { ok: true, value: findings };
  return term.mayVoteAlone ? { ok: false, fault: found } : { ok: true, value: findings };
}

function* settle(findings: Findings, limits: StorageLimits): DiskProcedure<Judged<Recovery>> {
  const { identity, owner, names, term, lost, damage } = findings;
  // What is mended may take its place.
  const reserve = new Reserve(yield* reserveSize());
  const marked: Marked = { owner, term, reserve };
  const isDiscarded = findings.pages === null || findings.log === null;
  if (isDiscarded) yield* writeSlot(marked, { lost, isQuarantined: true });
  else if (lost !== term.lost) yield* writeSlot(marked, { lost });
  if (findings.pages === null || findings.log === null) {
    const files = yield* discard(marked, names, limits);
    if (!files.ok) return files;
    yield* writeSlot(files.value, { isQuarantined: false });
    const recovered = recoveredOf(identity, files.value, [], 0, damage);
    return { ok: true, value: { recovered, files: files.value } };
  }

  const settled = yield* settleLog(findings.log, marked, limits);
  if (!settled.ok) return settled;
  const log = settled.value;
  const files: OpenFiles = { owner, log, term: marked.term, pages: findings.pages, reserve };
  const entry = files.pages.snapshot?.entry ?? NO_ENTRY;
  // A snapshot whose entry the log does not hold was being installed: the log, which is behind it or contradicts it, is
  // durably discarded, as it was about to be.
  const isHeld = log.entries.holds(entry);
  if (!isHeld) {
    const refused = yield* resetLog(files, entry, limits);
    if (refused !== null) return refused;
  }
  // The manifest is durable: what it does not name nobody will ask for.
  yield* removeUnused(files);
  const configurations = isHeld ? findings.log.configurations : [];
  const recovered = recoveredOf(identity, files, configurations, findings.log.tornBytes, damage);
  return { ok: true, value: { recovered, files } };
}

/** What stays, whatever becomes of log and snapshot. */
interface Marked {
  readonly owner: Owner;
  term: TermSlot;
  readonly reserve: Reserve;
}

/** Log and snapshot are of no use: the directory becomes one that knows nothing but its term, its vote and its loss. */
function* discard(
  marked: Marked, names: readonly string[], limits: StorageLimits,
): DiskProcedure<Judged<OpenFiles>> {
  for (const file of names) {
    if (file === MANIFEST_FILE || isPageFile(file) || isSegmentFile(file)) yield { type: "unlink", file };
  }
  yield { type: "syncDirectory" };
  const log = yield* createLog(marked.owner, limits);
  if (!log.ok) return log;
  return { ok: true, value: { ...marked, log: log.value, pages: PageSet.empty() } };
}

function recoveredOf(
  identity: Identity, files: OpenFiles, configurations: RecoveredLog["configurations"], tornBytes: number,
  damage: readonly StorageFault[],
): Recovered {
  const { base, runs, last } = files.log.entries;
  const { hardState, lost } = files.term;
  const log: RecoveredLog = { base, terms: runs, last, configurations };
  return { identity, hardState, log, snapshot: files.pages.snapshot, lost, tornBytes, damage };
}

/** Makes `identity` durable; one with a cluster after log and hard state, which it promises. */
export function* writeIdentity(
  identity: Identity, limits: StorageLimits,
): DiskProcedure<Judged<OpenFiles | null>> {
  let files: OpenFiles | null = null;
  if (identity.cluster !== null) {
    const created = yield* createFiles(identity, limits);
    if (!created.ok) return created;
    files = created.value;
  }
  const refused = yield* replaceFile(IDENTITY_FILE, encodeIdentity(identity));
  return refused ?? { ok: true, value: files };
}

function* createFiles(identity: Identity, limits: StorageLimits): DiskProcedure<Judged<OpenFiles>> {
  const owner = ownerOf(identity);
  const log = yield* createLog(owner, limits);
  if (!log.ok) return log;
  const term: TermSlot = { ...FIRST_SLOT, mayVoteAlone: isFoundedAlone(identity) };
  const refused = yield* replaceFile(TERM_FILE, encodeNewTermFile(owner, term));
  if (refused !== null) return refused;
  const reserve = new Reserve(yield* reserveSize());
  const files: OpenFiles = { owner, log: log.value, term, pages: PageSet.empty(), reserve };
  const end = log.value.allocated + (log.value.prepared?.size ?? 0);
  yield* growReserve(reserve, Math.max(reserve.size, reserveFor(files, end, limits)));
  return { ok: true, value: files };
}

/** Puts a file of these bytes in the place of any before it: all of it or nothing. */
export function* replaceFile(file: string, bytes: Uint8Array): DiskProcedure<Refused | null> {
  const unfinished = `${file}.new`;
  const opened = yield { type: "open", file: unfinished, create: true };
  if (opened.type === "failed") return refusedBy(opened.failure);
  const written = yield { type: "write", file: unfinished, offset: 0, bytes };
  if (written.type === "failed") return refusedBy(written.failure);
  const synced = yield { type: "sync", file: unfinished };
  if (synced.type === "failed") return refusedBy(synced.failure);
  yield { type: "rename", from: unfinished, to: file };
  yield { type: "syncDirectory" };
  return null;
}
