/**
 * A snapshot on its way in: the stream that another member sends (snapshot-stream.ts), piece by piece into files
 * `pages-N.part`, each byte judged as it comes. Until it is installed nothing relies on it.
 *
 * The hard idea: what this disk has already is left out. With the state as of R, its own stored snapshot, only those
 * files of the stream are fetched whose `through` is above R; why that is right stands in manifest.ts. The snapshot of
 * R is held meanwhile, as its files become part of the new one. Of a stream that breaks off, what has come of its files
 * is kept for the next one that has the very same: mostly the largest, oldest ones.
 */
import { invariant } from "../invariant.ts";
import type { SnapshotId } from "../raft/message.ts";
import type { Owner, Refused } from "./block.ts";
import { hadSpace } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";
import { MAX_FILES, type SnapshotState } from "./manifest.ts";
import { PageFileJudge } from "./page-file-judge.ts";
import { type PageFile, type PageFileTraits, pageFileName, pageFileSize } from "./page-file.ts";
import { type PageFiles, type PageSet, StoredSnapshot, isSameStream } from "./page-set.ts";
import { type PreparedManifest, prepareManifest, publish } from "./publication.ts";
import { STREAM_PREFIX_SIZE, type PortableManifest, decodeHeadSize, decodeStreamHead } from "./snapshot-stream.ts";

type OwnedFiles = PageFiles & { readonly owner: Owner };

/** A piece of a snapshot that is being received. */
export interface SnapshotChunk {
  readonly snapshot: SnapshotId;
  /** Where in the stream its bytes begin. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A file that comes in. */
interface IncomingFile {
  readonly sequence: number;
  readonly traits: PageFileTraits;
  readonly judge: PageFileJudge;
  /** Everything before it is written. */
  end: number;
}

/** A file of the stream. */
interface StreamFile {
  /** Where in the stream it begins. */
  readonly from: number;
  readonly end: number;
  /** null: it is left out. */
  readonly incoming: IncomingFile | null;
}

/** Once the head of the stream has come. */
interface Plan {
  readonly state: SnapshotState;
  readonly files: readonly StreamFile[];
  /** The own snapshot that the stream builds on, held; null: it is complete by itself. */
  readonly base: StoredSnapshot | null;
  readonly manifest: PreparedManifest;
}

/** After about so many bytes of a file they are synced, so that no sync takes long. */
const SYNC_BYTES = 4 * 1024 * 1024;

/** What has come of one snapshot. */
interface Part {
  readonly snapshot: SnapshotId;
  /** As much of the stream's head as has come. */
  head: Uint8Array;
  plan: Plan | null;
}

export class Reception {
  /** null: none is going on. */
  private part: Part | null = null;
  /** Of a reception that broke off. */
  private leftovers: IncomingFile[] = [];

  /**
   * Writes a piece where it belongs; what has come before changes nothing. Returns where the stream goes on; null:
   * there is no space, or the bytes are not what they should be. Then nothing is left of it.
   */
  *storeChunk(files: OwnedFiles, chunk: SnapshotChunk, maxWriteBytes: number): DiskProcedure<number | null> {
    const part = yield* this.partOf(files, chunk.snapshot);
    const { offset, bytes } = chunk;
    for (let end = endOf(part); offset <= end && end < offset + bytes.length; end = endOf(part)) {
      const rest = bytes.subarray(end - offset);
      const isKept = part.plan === null
        ? yield* this.takeHead(files, part, rest)
        : yield* takePages(part.plan, end, rest, maxWriteBytes);
      if (isKept) continue;
      yield* this.abandon(files);
      return null;
    }
    return endOf(part);
  }

  /** Makes the snapshot that has been received the one in force. */
  *install(files: OwnedFiles, snapshot: SnapshotId): DiskProcedure<Refused | null> {
    const { part } = this;
    const plan = part?.plan ?? null;
    invariant(part !== null && isSameStream(part.snapshot, snapshot), "only a snapshot that was received is installed");
    invariant(plan !== null && endOf(part) === snapshot.size, "a snapshot is installed once all of it is there");
    const older = files.pages.snapshot;
    invariant(older === null || older.entry.index < snapshot.entry.index, "a snapshot gives way to a newer one only");
    const received: PageFile[] = [];
    for (const { incoming } of plan.files) {
      if (incoming === null) continue;
      const { sequence, judge } = incoming;
      received.push(judge.finish(sequence));
      yield { type: "rename", from: partName(sequence), to: pageFileName(sequence) };
    }
    if (received.length > 0) yield { type: "syncDirectory" };
    const own = plan.base?.files ?? [];
    const refused = yield* publish(files, plan.manifest, new StoredSnapshot(plan.state, [...own, ...received]));
    if (plan.base !== null) files.pages.letGo(plan.base);
    this.part = null;
    return refused;
  }

  /** What has come of a snapshot that is no newer than the own one will not be installed: nothing is left of it. */
  *dropOutdated(files: OwnedFiles): DiskProcedure<void> {
    const own = files.pages.snapshot?.entry.index ?? 0;
    if (this.part !== null && this.part.snapshot.entry.index <= own) yield* this.abandon(files);
  }

  /** What there is of this snapshot. One of another breaks off. */
  private *partOf(files: OwnedFiles, snapshot: SnapshotId): DiskProcedure<Part> {
    const { part } = this;
    if (part !== null && isSameStream(part.snapshot, snapshot)) return part;
    if (part?.plan !== null && part?.plan !== undefined) {
      for (const { incoming } of part.plan.files) if (incoming !== null) this.leftovers.push(incoming);
      yield* letGoOf(files, part.plan);
    }
    this.part = { snapshot, head: new Uint8Array(0), plan: null };
    return this.part;
  }

  /** More of the head; once it is whole, it is decided what is fetched. */
  private *takeHead(files: OwnedFiles, part: Part, bytes: Uint8Array): DiskProcedure<boolean> {
    const size = part.head.length < STREAM_PREFIX_SIZE ? STREAM_PREFIX_SIZE : headSizeOf(part.head);
    if (size === null) return false;
    part.head = joined(part.head, bytes.subarray(0, size - part.head.length));
    if (part.head.length < STREAM_PREFIX_SIZE || part.head.length !== headSizeOf(part.head)) {
      return headSizeOf(part.head) !== null;
    }
    const decoded = decodeStreamHead(part.head, part.snapshot);
    if (!decoded.ok) return false;
    part.plan = yield* this.planOf(files, part.head.length, decoded.value);
    return part.plan !== null;
  }

  /** Takes the space for the manifest; that for the files is taken as they come. null: there is none. */
  private *planOf(
    files: OwnedFiles, headSize: number, { state, files: rows }: PortableManifest,
  ): DiskProcedure<Plan | null> {
    const { pages } = files;
    const base = baseOf(pages, state, rows);
    const fileCount = rows.length + (base?.files.length ?? 0);
    const manifest = yield* prepareManifest(files, state.configuration, fileCount);
    if (manifest === null) return null;
    const kept: StreamFile[] = [];
    const plan: Plan = { state, files: kept, base, manifest };
    if (base !== null) pages.hold(base);
    let from = headSize;
    for (const traits of rows) {
      const end = from + pageFileSize(traits.count, state.pageSize);
      const isHere = base !== null && traits.through <= base.state.entry.index;
      const incoming = isHere ? null : yield* this.incomingFile(files, state.pageSize, traits);
      if (!isHere && incoming === null) {
        this.leftovers.push(...kept.flatMap((file) => (file.incoming === null ? [] : [file.incoming])));
        yield* letGoOf(files, plan);
        return null;
      }
      kept.push({ from, end, incoming });
      from = end;
    }
    yield* this.removeLeftovers();
    return plan;
  }

  /** null: there is no space. */
  private *incomingFile(
    files: OwnedFiles, pageSize: number, traits: PageFileTraits,
  ): DiskProcedure<IncomingFile | null> {
    const known = this.leftovers.find((file) => isSameFile(file.traits, traits));
    if (known !== undefined) {
      this.leftovers = this.leftovers.filter((file) => file !== known);
      return known;
    }
    const sequence = files.pages.takeSequence();
    const file = partName(sequence);
    if (!hadSpace(yield { type: "open", file, create: true })) return null;
    const judge = new PageFileJudge(file, { cluster: files.owner.cluster, pageSize, traits });
    return { sequence, traits, judge, end: 0 };
  }

  private *removeLeftovers(): DiskProcedure<void> {
    for (const { sequence } of this.leftovers.splice(0)) yield { type: "unlink", file: partName(sequence) };
  }

  /** Nothing is left of what is being received. */
  *abandon(files: OwnedFiles): DiskProcedure<void> {
    const plan = this.part?.plan ?? null;
    this.part = null;
    if (plan !== null) {
      for (const { incoming } of plan.files) if (incoming !== null) this.leftovers.push(incoming);
      yield* letGoOf(files, plan);
    }
    yield* this.removeLeftovers();
  }
}

/** All of the stream before it is here. */
function endOf({ head, plan }: Part): number {
  if (plan === null) return head.length;
  for (const { from, incoming } of plan.files) {
    if (incoming !== null && !incoming.judge.isWhole) return from + incoming.end;
  }
  return plan.files.at(-1)?.end ?? head.length;
}

/** Writes what of the bytes belongs to the file that is being received; `at`: where in the stream they begin. */
function* takePages(plan: Plan, at: number, bytes: Uint8Array, maxWriteBytes: number): DiskProcedure<boolean> {
  const target = plan.files.find(({ incoming }) => incoming !== null && !incoming.judge.isWhole);
  const incoming = target?.incoming ?? null;
  invariant(target !== undefined && incoming !== null, "only a stream that is not whole goes on");
  invariant(target.from + incoming.end === at, "a stream goes on where it ended");
  const file = partName(incoming.sequence);
  const piece = bytes.subarray(0, Math.min(maxWriteBytes, target.end - at));
  if (incoming.judge.take(piece) !== null) return false;
  if (!hadSpace(yield { type: "write", file, offset: incoming.end, bytes: piece })) return false;
  const unsynced = incoming.end % SYNC_BYTES;
  incoming.end += piece.length;
  if (!incoming.judge.isWhole && unsynced + piece.length < SYNC_BYTES) return true;
  return hadSpace(yield { type: "sync", file });
}

/** The own snapshot that makes it superfluous to fetch all; null: there is none. */
function baseOf(pages: PageSet, state: SnapshotState, rows: readonly PageFileTraits[]): StoredSnapshot | null {
  const { stored: own } = pages;
  if (own === null || own.state.pageCount === 0 || own.state.pageSize !== state.pageSize) return null;
  if (!own.files.every((file) => pages.isMergeable(file))) return null;
  if (own.state.entry.index >= state.entry.index || own.files.length + rows.length > MAX_FILES) return null;
  return rows.some(({ through }) => through <= own.state.entry.index) ? own : null;
}

function* letGoOf({ pages }: PageFiles, { base, manifest }: Plan): DiskProcedure<void> {
  if (base !== null) pages.letGo(base);
  yield { type: "unlink", file: manifest.file };
}

function isSameFile(a: PageFileTraits, b: PageFileTraits): boolean {
  return a.through === b.through && a.count === b.count && a.checksum === b.checksum;
}

function partName(sequence: number): string {
  return `${pageFileName(sequence)}.part`;
}

/** null: no head has such a size. */
function headSizeOf(head: Uint8Array): number | null {
  const decoded = decodeHeadSize(head.subarray(0, STREAM_PREFIX_SIZE));
  return decoded.ok ? decoded.value : null;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
