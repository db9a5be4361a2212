/** What a data directory holds, and whether all of it is sound, while no node runs in it. Nothing is changed. */
import type { StorageFault } from "../core/storage/boundary.ts";
import {
  type FilesInspection, type SegmentInspection, type SnapshotInspection, inspectFiles,
} from "../core/storage/directory-inspection.ts";
import { verifyFiles } from "../core/storage/directory-verification.ts";
import { lostWith } from "../core/storage/term-file.ts";
import { type EntryId, nodeOf } from "../core/types.ts";
import { OfflineDirectory } from "./offline-directory.ts";
import { describeStorageFault } from "./operator-error.ts";
import { checkOptions, invalid } from "./operator-options.ts";
import { show } from "./options.ts";

/** Something in a directory that is not as it should be. */
export interface DirectoryFault {
  readonly file: string;
  /** Where in the file; null: it concerns all of it. */
  readonly offset: number | null;
  /** Index of the first entry that is concerned; null: none is, or it cannot be told. */
  readonly entry: number | null;
  /** Which page of the database; null: none. */
  readonly page: number | null;
  readonly detail: string;
}

/** Who is of the cluster, as the snapshot has it. */
export interface InspectedMember {
  readonly id: string;
  readonly role: "voter" | "standby" | "spare";
  readonly address: string | null;
}

export interface InspectedSnapshot extends Omit<SnapshotInspection, "members"> {
  readonly members: readonly InspectedMember[];
}

/** All of it survives JSON. */
export interface DirectoryInspection {
  readonly directory: string;
  /** null: no node has used the directory, or its identity is damaged. */
  readonly id: string | null;
  /** Which life of its disk this is. */
  readonly incarnation: string | null;
  /** null: the node has not been of a cluster. */
  readonly cluster: string | null;
  readonly founders: readonly string[];
  readonly term: number | null;
  /** Whom it has voted for in that term. */
  readonly votedFor: string | null;
  /** The highest entry that this disk may have acknowledged and has no more; null: it has all. */
  readonly lost: EntryId | null;
  /** The next start discards log and snapshot. */
  readonly isQuarantined: boolean;
  readonly segments: readonly SegmentInspection[];
  readonly snapshot: InspectedSnapshot | null;
  /** The last entry of snapshot and log; null: there is none, or it cannot be told. */
  readonly last: EntryId | null;
  /** Of a torn write at the end of the log, as a crash leaves one: the next start cuts it. */
  readonly tornBytes: number;
  readonly files: readonly { readonly file: string; readonly bytes: number }[];
  /** Of all files. */
  readonly bytes: number;
  /** What was found damaged on the way; `verifyDirectory` looks for all there is. */
  readonly faults: readonly DirectoryFault[];
}

/**
 * What a directory holds: whose it is, term and vote, segments of the log, the stored snapshot and its files, the last
 * entry. Reads the log, and no page. Damage does not hide the rest.
 *
 * @throws OperatorError "DirectoryInUse", "DirectoryUnusable", "DiskFailed"
 * @example
 * import { inspectDirectory, open } from "quorumlite";
 * const node = await open({ directory: "data" });
 * await node.ready();
 * await node.close();
 * const { id, term, last, segments, snapshot, bytes } = await inspectDirectory("data");
 */
export async function inspectDirectory(directory: string): Promise<DirectoryInspection> {
  return OfflineDirectory.read(directory, async (offline) => {
    const found = await offline.run(inspectFiles());
    const { identity, term, segments, last, tornBytes, files } = found;
    return {
      directory: offline.directory,
      id: identity?.node ?? null, incarnation: identity?.incarnation ?? null, cluster: identity?.cluster?.id ?? null,
      founders: identity?.cluster?.founders.map(({ node }) => node) ?? [],
      term: term?.hardState.currentTerm ?? null, votedFor: voteOf(found),
      lost: lostWith(term?.lost ?? null, found.lost), isQuarantined: term?.isQuarantined ?? false,
      segments, snapshot: snapshotOf(found), last, tornBytes, files,
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
      faults: found.faults.map((fault) => faultOf(fault, null, null)),
    };
  });
}

function voteOf({ term }: FilesInspection): string | null {
  const vote = term?.hardState.votedFor ?? null;
  return vote === null ? null : nodeOf(vote);
}

function snapshotOf({ snapshot }: FilesInspection): InspectedSnapshot | null {
  if (snapshot === null) return null;
  const members = snapshot.members.map(({ id, role, address }) => {
    return { id: nodeOf(id), role, address: address === "" ? null : address };
  });
  return { ...snapshot, members };
}

export interface VerifyOptions {
  /** Told how far it has come, after each piece. Prepared files of the log hold nothing, and are not read. */
  readonly onProgress?: (progress: VerifyProgress) => void;
}

export interface VerifyProgress {
  readonly file: string;
  readonly bytesRead: number;
  /** Of all files. */
  readonly bytesTotal: number;
}

export interface DirectoryVerification {
  readonly directory: string;
  /** All of it was read, and all is sound. */
  readonly ok: boolean;
  /** How much of the log, and of the stored snapshot, was judged. */
  readonly records: number;
  readonly pages: number;
  readonly faults: readonly DirectoryFault[];
  /** What is remarkable and no fault, as a torn write that the next start cuts. */
  readonly remarks: readonly string[];
}

/**
 * Reads everything in a directory that means anything, and reports every fault with its file and offset: each record of
 * the log with its payload, each page of the stored snapshot, each copy of what stands there twice. Changes nothing.
 *
 * @throws OperatorError "NoData" if there is nothing to verify; "DirectoryInUse", "DirectoryUnusable", "DiskFailed"
 * @example
 * import { open, verifyDirectory } from "quorumlite";
 * const node = await open({ directory: "data" });
 * await node.ready();
 * await node.close();
 * const { ok, faults } = await verifyDirectory("data");
 * if (!ok) for (const { file, offset, detail } of faults) console.error(file, offset, detail);
 */
export async function verifyDirectory(
  directory: string, options: VerifyOptions = {},
): Promise<DirectoryVerification> {
  const { onProgress } = checkOptions("verifyDirectory", options, ["onProgress"]);
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw invalid("onProgress", `onProgress is ${show(onProgress)}: pass a function`);
  }
  return OfflineDirectory.read(directory, async (offline) => {
    if (options.onProgress !== undefined) await reportProgress(offline, options.onProgress);
    const found = await offline.run(verifyFiles());
    if (found === null) throw offline.hasNothing();
    const { isSound, records, pages, remarks } = found;
    const faults = found.faults.map(({ fault, index, page }) => faultOf(fault, index, page));
    return { directory: offline.directory, ok: isSound, records, pages, faults, remarks };
  });
}

/** Each byte counts once, however often it is read. */
async function reportProgress(offline: OfflineDirectory, report: (progress: VerifyProgress) => void): Promise<void> {
  const { files } = await offline.run(inspectFiles());
  const bytesTotal = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const reached = new Map<string, number>();
  let bytesRead = 0;
  offline.onRead = (file, end) => {
    const before = reached.get(file) ?? 0;
    if (end <= before) return;
    reached.set(file, end);
    bytesRead += end - before;
    report({ file, bytesRead, bytesTotal });
  };
}

function faultOf(fault: StorageFault, entry: number | null, page: number | null): DirectoryFault {
  const offset = fault.type === "corrupt" ? fault.offset : null;
  return { file: fault.file ?? ".", offset, entry, page, detail: describeStorageFault(fault) };
}
