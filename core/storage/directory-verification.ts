/**
 * Reads everything in a directory that means anything, changes nothing, and says all that is wrong with it: both copies
 * of identity, term and manifest, each record of the log with its payload, each page of the stored snapshot. It goes on
 * behind every fault, where recovery stops at the first that is in the way.
 *
 * What a crash may leave is no fault: a torn write at the end of the log or in one copy of the hard state, unfinished
 * files, files that nothing refers to. It is a remark.
 */
import type { EntryId } from "../types.ts";
import { type Owner, ownerOf } from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { READING_CHUNK_BYTES } from "./directory-reading.ts";
import { judgeFit } from "./snapshot-fit.ts";
import { REPLACEMENT_FILE } from "./directory-replacement.ts";
import { isNameless } from "./disk-failure.ts";
import { resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { IDENTITY_FILE, readIdentity } from "./identity-file.ts";
import { judgeLog } from "./log-recovery.ts";
import { RESERVE_FILE } from "./log-space.ts";
import type { Log } from "./log.ts";
import { MANIFEST_FILE } from "./manifest.ts";
import { isPageFile, pageFileName } from "./page-file.ts";
import { readManifest, readPageFile } from "./page-recovery.ts";
import { readRun } from "./page-run.ts";
import { SEGMENT_HEADER_SIZE, isSegmentFile, sequenceOf } from "./segment-file.ts";
import {
  type SegmentFile, type VerificationFault, readSegmentFiles, verifySegments, verifySpace,
} from "./segment-verification.ts";
import { TERM_FILE, type TermSlot, readTerm } from "./term-file.ts";

export interface DirectoryVerification {
  /** Everything was read, and all of it is sound. */
  readonly isSound: boolean;
  /** What has been judged. */
  readonly records: number;
  readonly pages: number;
  readonly faults: readonly VerificationFault[];
  /** What is remarkable and no fault. */
  readonly remarks: readonly string[];
}

/** Every file that a directory may have for good. */
const KNOWN: readonly string[] = [IDENTITY_FILE, TERM_FILE, MANIFEST_FILE, RESERVE_FILE, REPLACEMENT_FILE];

/** null: there is nothing to verify, as no node that is of a cluster has used the directory. */
export function* verifyFiles(chunkBytes = READING_CHUNK_BYTES): DiskProcedure<DirectoryVerification | null> {
  const names = resultOf(yield { type: "list" }, "list").files;
  const verification = new Verification(names, chunkBytes);
  return yield* verification.run();
}

class Verification {
  private readonly names: readonly string[];
  private readonly chunkBytes: number;
  private readonly faults: VerificationFault[] = [];
  private readonly remarks: string[] = [];
  private records = 0;
  private pages = 0;
  /** The entry of the snapshot; null: there is none, or it cannot be read. */
  private entry: EntryId | null = null;

  constructor(names: readonly string[], chunkBytes: number) {
    this.names = names;
    this.chunkBytes = chunkBytes;
  }

  *run(): DiskProcedure<DirectoryVerification | null> {
    this.lookAtNames();
    if (!this.names.includes(IDENTITY_FILE)) {
      if (!this.names.some((name) => name === TERM_FILE || isSegmentFile(name) || isPageFile(name))) return null;
      this.report(missing(IDENTITY_FILE));
      return this.result();
    }
    const identity = yield* readIdentity();
    if (!identity.ok) {
      this.report(identity.fault);
      return this.result();
    }
    for (const fault of identity.value.damage) this.report(fault);
    if (identity.value.identity.cluster === null) return null;
    const owner = ownerOf(identity.value.identity);
    const term = yield* this.verifyTerm(owner);
    yield* this.verifyPages(owner);
    yield* this.verifyLog(owner, term);
    return this.result();
  }

  private lookAtNames(): void {
    const unfinished = this.names.filter(isNameless);
    if (unfinished.length > 0) this.remarks.push(`unfinished, removed by the next start: ${unfinished.join(", ")}`);
    const others = this.names.filter((name) => {
      return !isNameless(name) && !KNOWN.includes(name) && !isSegmentFile(name) && !isPageFile(name);
    });
    if (others.length > 0) this.remarks.push(`none of quorumlite's files: ${others.join(", ")}`);
    if (!this.names.includes(REPLACEMENT_FILE)) return;
    const detail = "the files were being replaced when the process ended: the next start completes it";
    this.report({ type: "corrupt", file: REPLACEMENT_FILE, offset: 0, detail });
  }

  private *verifyTerm(owner: Owner): DiskProcedure<TermSlot | null> {
    const term = yield* readTerm(owner);
    if (!term.ok) {
      this.report(term.fault);
      return null;
    }
    // A crash in the middle of a write leaves that as well, and nobody can tell which it was.
    for (const fault of term.value.damage) {
      const place = fault.type === "corrupt" ? `offset ${fault.offset} of ${fault.file}` : TERM_FILE;
      this.remarks.push(`the copy at ${place} is torn or damaged: the next start mends it from the other one`);
    }
    const { lost, isQuarantined } = term.value.slot;
    if (lost !== null) {
      const fact = `entries up to ${show(lost)} may have been acknowledged here`;
      this.remarks.push(`${fact}; this disk has lost some of them, and they are not back yet`);
    }
    if (isQuarantined) {
      const detail = "log and snapshot are marked as being of no use: the next start discards them";
      this.report({ type: "corrupt", file: TERM_FILE, offset: 0, detail });
    }
    return term.value.slot;
  }

  private *verifyPages(owner: Owner): DiskProcedure<void> {
    const named = new Set<string>();
    if (this.names.includes(MANIFEST_FILE)) {
      const decoded = yield* readManifest(owner);
      if (!decoded.ok) {
        this.report(decoded.fault);
        return;
      }
      const { damage, manifest: { state, files } } = decoded.value;
      if (damage !== null) this.report(damage);
      this.entry = state.entry;
      for (const row of files) {
        named.add(pageFileName(row.sequence));
        const file = yield* readPageFile(row, owner.cluster, state.pageSize);
        if (!file.ok) {
          this.report(file.fault);
          continue;
        }
        const atOnce = Math.max(1, Math.floor(this.chunkBytes / state.pageSize));
        for (let from = 0; from < row.count; from += atOnce) {
          const run = yield* readRun(file.value, from, Math.min(from + atOnce, row.count));
          for (const { fault, number } of run.damage) this.faults.push({ fault, index: null, page: number });
        }
        this.pages += row.count;
      }
    }
    const unused = this.names.filter((name) => isPageFile(name) && !named.has(name));
    if (unused.length > 0) this.remarks.push(`nothing refers to, removed by the next start: ${unused.join(", ")}`);
  }

  private *verifyLog(owner: Owner, term: TermSlot | null): DiskProcedure<void> {
    const { names, chunkBytes } = this;
    const files = yield* readSegmentFiles(owner, names);
    if (!files.ok) {
      this.report(files.fault);
      return;
    }
    for (const { file, use } of files.value) {
      if (use === "void") this.remarks.push(`${file} is void: the log starts anew behind it`);
    }
    yield* this.verifyAhead(files.value.filter(({ use }) => use === "ahead"));
    const judged = term === null ? null : yield* judgeLog({ owner, term, names, snapshot: this.entry, chunkBytes });
    const verified = yield* verifySegments(files.value, chunkBytes);
    this.records += verified.records;
    const log = judged?.ok === true ? judged.value : null;
    const isTorn = (fault: StorageFault): boolean => log !== null && log.lost === null && isBehindEnd(log.log, fault);
    this.faults.push(...verified.faults.filter(({ fault }) => !isTorn(fault)));
    // As a start judges it: records, each sound by itself, may contradict each other, the term or the snapshot.
    const found = log?.damage ?? (judged?.ok === false ? [judged.fault] : []);
    for (const fault of found) if (!this.isKnown(fault) && !isTorn(fault)) this.report(fault);
    if (log === null) return;
    if (log.tornBytes > 0) {
      this.remarks.push(`${log.tornBytes} bytes of a torn write at the end of the log: the next start cuts them`);
    }
    const unfit = judgeFit(log.log.entries.base, this.entry);
    if (unfit !== null) this.report(unfit.fault);
  }

  private *verifyAhead(files: readonly SegmentFile[]): DiskProcedure<void> {
    for (const file of files) {
      const { faults, isTorn } = yield* verifySpace(file, this.chunkBytes);
      this.faults.push(...faults);
      if (isTorn) this.remarks.push(`${file.file} stands ready, and a torn write is in it: the log overwrites it`);
    }
  }

  /** The same place is not named twice. */
  private isKnown(fault: StorageFault): boolean {
    const place = placeOf(fault);
    return place !== null && this.faults.some((known) => placeOf(known.fault) === place);
  }

  private report(fault: StorageFault): void {
    this.faults.push({ fault, index: null, page: null });
  }

  private result(): DirectoryVerification {
    const { faults, remarks, records, pages } = this;
    return { isSound: faults.length === 0, records, pages, faults, remarks };
  }
}

/**
 * Whether it lies where the log has nothing: what a crash has left of the last write there is no damage. Where that
 * write began a segment, its header is part of it.
 */
function isBehindEnd(log: Log, fault: StorageFault): boolean {
  if (fault.type !== "corrupt") return false;
  const sequence = sequenceOf(fault.file);
  const { current } = log;
  if (sequence === null || sequence !== current.sequence) return (sequence ?? 0) > current.sequence;
  return log.end === current.start || fault.offset >= SEGMENT_HEADER_SIZE + log.end - current.start;
}

function placeOf(fault: StorageFault): string | null {
  return fault.type === "corrupt" ? `${fault.file}:${fault.offset}` : null;
}

function missing(file: string): StorageFault {
  return { type: "corrupt", file, offset: 0, detail: "missing" };
}

function show({ term, index }: EntryId): string {
  return index === Number.MAX_SAFE_INTEGER ? "an unknown one" : `${term}/${index}`;
}
