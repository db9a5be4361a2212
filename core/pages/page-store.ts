/**
 * The pages of one database: a base image, the frames of its WAL, and two views of them. It is what lies under
 * SQLite's VFS; it never hears of SQL, and of replication only that commits are first speculative and then applied.
 *
 *     base image | applied frames | speculative frames, commit by commit | frames of the open transaction
 *                                 ^ applied header                       ^ speculative header
 *
 * The hard idea: a view is nothing but a wal-index header. SQLite looks only at frames up to its header's last one,
 * so the same frames and hash tables serve the writer under the speculative header and readers under the applied one;
 * `install` puts the right one in place before each statement. Advancing moves the applied header, discarding cuts
 * frames off.
 *
 * A checkpoint moves the applied frames' pages into the base image, all of them or none: it waits until nobody holds a
 * lock, so SQLite always finds "0 frames backfilled", and speculative frames just move to the front.
 *
 * No page of a commit is ever written in place, here or by SQLite: so a cut of the applied state (cuts.ts) needs no
 * copy of it.
 */
import { invariant } from "../invariant.ts";
import type { DecodeFault } from "../bytes.ts";
import { decodePayload, encodePayload, saysJust } from "../wal/payload.ts";
import type { PageDigest, PageVersion, Transaction } from "../wal/payload.ts";
import { decodeWalHeader, FRAME_HEADER_SIZE, WAL_HEADER_SIZE } from "../wal/wal-format.ts";
import { WalChain } from "../wal/wal-chain.ts";
import { EMPTY_CHECKSUM } from "../wal/wal-checksum.ts";
import { BaseImage } from "./base-image.ts";
import { Cuts } from "./cuts.ts";
import { markAsRollbackJournal, SCHEMA_COOKIE_AT } from "./first-page.ts";
import { Frames } from "./frames.ts";
import { PageBuffers } from "./page-buffers.ts";
import type { PageCut } from "./page-cut.ts";
import { PageImage } from "./page-image.ts";
import type { RollingChecksum } from "./rolling-checksum.ts";
import type { SharedMemory } from "./shared-memory.ts";
import { growsWithoutGaps, transactionFault } from "./transaction-rules.ts";
import { WalIndex } from "./wal-index.ts";
import { makeWalIndexHeader } from "./wal-index-header.ts";
import type { WalIndexHeader } from "./wal-index-header.ts";
import { WalLocks } from "./wal-locks.ts";

/** "speculative": every commit of the writer. "applied": replicated commits only. */
export type StoreView = "speculative" | "applied";

export interface PageStoreOptions {
  readonly pageSize: number;
  /** So many applied frames start a checkpoint. Each one empties SQLite's page caches, so it should be rare. */
  readonly checkpointFrames: number;
}

/** A commit of the writer that is neither applied nor discarded. */
interface SpeculativeCommit {
  /** Which frames there are after it. */
  readonly header: WalIndexHeader;
  readonly digests: readonly PageDigest[];
  /** null: taken. */
  payload: Uint8Array | null;
}

export class PageStore {
  readonly pageSize: number;
  readonly buffers: PageBuffers;
  readonly base: BaseImage;
  readonly frames: Frames;
  readonly locks = new WalLocks();
  /** The WAL's own header, as SQLite wrote it last. */
  readonly walHeader: Uint8Array = new Uint8Array(WAL_HEADER_SIZE);
  /** How often the WAL began anew. */
  checkpoints = 0;

  private readonly checkpointFrames: number;
  private readonly rolling: RollingChecksum;
  /** Not this store's own: a restored state goes on with those of the state before. */
  private readonly cuts: Cuts;
  /** Oldest first. */
  private commits: SpeculativeCommit[] = [];
  /** How many of `commits`, from the oldest, have been taken. */
  private taken = 0;
  private applied: WalIndexHeader;
  private speculativeHeader: WalIndexHeader;
  /** What stands in shared memory now. */
  private installed: WalIndexHeader | null = null;
  /** null: no engine stands on this store. */
  private walIndex: WalIndex | null = null;
  /** The highest change counter that any header has had, so that no header is ever made twice. */
  private lastChange = 1;

  /** `image`: it is given up. What of it no stored cut has is marked in `cuts`. */
  constructor({ pageSize, checkpointFrames }: PageStoreOptions, image: PageImage, cuts: Cuts) {
    invariant(image.pageSize === pageSize && image.pageCount >= 1 && image.isWhole, "a store is of a whole database");
    this.pageSize = pageSize;
    this.checkpointFrames = checkpointFrames;
    this.cuts = cuts;
    this.rolling = image.rolling;
    this.buffers = new PageBuffers(pageSize);
    this.base = new BaseImage(this.buffers, cuts, image.pages);
    this.frames = new Frames(this.buffers);
    this.applied = makeWalIndexHeader({
      change: this.lastChange,
      pageSize,
      maxFrame: 0,
      pageCount: image.pageCount,
      frameChecksum: EMPTY_CHECKSUM,
      salt: [0, 0],
    });
    this.speculativeHeader = this.applied;
  }

  /** The store with which every node begins; nothing of it is stored. */
  static ofEmptyDatabase(options: PageStoreOptions, cuts: Cuts = new Cuts()): PageStore {
    cuts.mark(1);
    return new PageStore(options, PageImage.ofEmptyDatabase(options.pageSize), cuts);
  }

  /** An engine comes to stand on this store: its wal-index is built in its memory. */
  attach(memory: SharedMemory): void {
    invariant(this.walIndex === null, "one engine at a time stands on a store");
    this.walIndex = new WalIndex(memory);
    this.installed = null;
    for (let frame = 0; frame < this.frames.count; frame++) {
      this.walIndex.append(frame + 1, this.frames.pageNumber(frame));
    }
    this.install("applied");
  }

  /** The engine is gone, maybe in the middle of a transaction, of which nothing remains. */
  detach(): void {
    this.walIndex = null;
    this.locks.releaseAll();
    this.frames.truncate(this.speculativeHeader.maxFrame);
  }

  /** Where SQLite finds the wal-index. */
  get index(): WalIndex {
    invariant(this.walIndex !== null, "an engine stands on the store");
    return this.walIndex;
  }

  /** What SQLite sees from now on. */
  install(view: StoreView): void {
    const header = view === "applied" ? this.applied : this.speculativeHeader;
    if (this.installed === header) return;
    this.index.install(header);
    this.installed = header;
  }

  /** How many frames belong to commits; those above are of an open transaction. */
  get committedFrames(): number {
    return this.speculativeHeader.maxFrame;
  }

  /** The writer lets its lock go: the transaction either committed, which moved the wal-index, or left no trace. */
  endWrite(): void {
    if (this.index.maxFrame() > this.committedFrames) {
      this.capture(this.index.header());
    } else if (this.frames.count > this.committedFrames) {
      this.frames.truncate(this.committedFrames);
      // SQLite cleans up after a rollback, but not after an I/O error.
      this.index.truncate(this.committedFrames);
    }
  }

  speculative(): number {
    return this.commits.length;
  }

  /** The payloads of the commits since the last call, oldest first. */
  takeCommits(): Uint8Array[] {
    const payloads: Uint8Array[] = [];
    for (; this.taken < this.commits.length; this.taken++) {
      const commit = this.commits[this.taken]!;
      invariant(commit.payload !== null, "a commit is taken once");
      payloads.push(commit.payload);
      commit.payload = null;
    }
    return payloads;
  }

  /** The oldest speculative commit is replicated. */
  advance(): void {
    const commit = this.commits.shift();
    invariant(commit !== undefined && this.taken > 0, "what is replicated was taken before");
    this.taken -= 1;
    this.setApplied(commit.header, commit.digests);
  }

  /** Undoes all speculative commits but the oldest `keep`. */
  discard(keep: number): void {
    invariant(keep >= 0 && keep <= this.commits.length, "at most as many commits are kept as there are");
    if (keep === this.commits.length) return;
    invariant(!this.locks.writing, "nobody is writing when commits are discarded");
    this.commits.length = keep;
    this.taken = Math.min(this.taken, keep);
    const last = this.commits[keep - 1];
    // Another change counter than before: the writer's page cache holds what is discarded here.
    const header = this.changed(last?.header ?? this.applied, {});
    if (last !== undefined) this.commits[keep - 1] = { ...last, header };
    this.speculativeHeader = header;
    this.frames.truncate(header.maxFrame);
    this.walIndex?.truncate(header.maxFrame);
  }

  /** Applies a replicated payload. null: done. */
  apply(payload: Uint8Array): DecodeFault | null {
    invariant(this.commits.length === 0, "nothing is speculative where a replicated transaction is applied");
    invariant(!this.locks.writing, "nobody is writing where a replicated transaction is applied");
    const decoded = decodePayload(payload);
    if (!decoded.ok) return decoded.fault;
    const fault = transactionFault(decoded.value, this.pageSize, this.applied.pageCount);
    if (fault !== null) return fault;
    this.append(decoded.value);
    return null;
  }

  /** A number that equal applied states share, whatever the way there. */
  checksum(): number {
    return this.rolling.value(this.applied.pageCount);
  }

  /** The applied state as a database file that needs no -wal beside it. */
  image(): Uint8Array {
    const pages = this.appliedPages();
    const image = new Uint8Array(pages.length * this.pageSize);
    pages.forEach((page, at) => {
      if (page !== undefined) image.set(page, at * this.pageSize);
    });
    markAsRollbackJournal(image);
    return image;
  }

  /**
   * What of the applied state has changed since the last cut that was stored. Its cost is that of its pages, and of a
   * look at the frames that wait for a checkpoint.
   */
  cut(): PageCut {
    const { pageSize, rolling } = this;
    const { pageCount, maxFrame } = this.applied;
    const newest = new Map<number, Uint8Array>();
    for (let frame = 0; frame < maxFrame; frame++) newest.set(this.frames.pageNumber(frame), this.frames.page(frame));
    return this.cuts.begin({
      pageSize,
      pageCount,
      checksum: this.checksum(),
      pageOf: (number) => newest.get(number) ?? this.base.page(number),
      crcOf: (number) => rolling.crcOf(number),
    });
  }

  endCut(isStored: boolean): void {
    for (const page of this.cuts.end(isStored)) this.buffers.give(page);
  }

  /** Changes whenever the schema of the speculative state does. */
  schemaCookie(): number {
    let page = this.base.page(1)!;
    for (let frame = this.committedFrames - 1; frame >= 0; frame--) {
      if (this.frames.pageNumber(frame) !== 1) continue;
      page = this.frames.page(frame);
      break;
    }
    return new DataView(page.buffer, page.byteOffset, page.byteLength).getUint32(SCHEMA_COOKIE_AT);
  }

  /** Moves the applied frames into the base image, if there are enough of them and nobody is looking. */
  checkpointIfDue(): void {
    if (this.applied.maxFrame < this.checkpointFrames || !this.locks.idle || this.walIndex === null) return;
    this.checkpoint(this.walIndex);
  }

  /** By page number - 1, not copied; the lock-byte page is missing. */
  private appliedPages(): (Uint8Array | undefined)[] {
    const { pageCount, maxFrame } = this.applied;
    const pages = Array.from({ length: pageCount }, (_, at) => this.base.page(at + 1));
    for (let frame = 0; frame < maxFrame; frame++) {
      const number = this.frames.pageNumber(frame);
      if (number <= pageCount) pages[number - 1] = this.frames.page(frame);
    }
    return pages;
  }

  private checkpoint(index: WalIndex): void {
    const moved = this.applied.maxFrame;
    const pageNumbers = Array.from({ length: moved }, (_, frame) => this.frames.pageNumber(frame));
    this.frames.shift(moved).forEach((page, frame) => this.base.place(pageNumbers[frame]!, page));
    this.base.resize(this.applied.pageCount);
    index.clear();
    for (let frame = 0; frame < this.frames.count; frame++) index.append(frame + 1, this.frames.pageNumber(frame));
    this.applied = this.changed(this.applied, { maxFrame: 0 });
    this.commits = this.commits.map((commit) => {
      return { ...commit, header: this.changed(commit.header, { maxFrame: commit.header.maxFrame - moved }) };
    });
    this.speculativeHeader = this.commits.at(-1)?.header ?? this.applied;
    this.installed = null;
    this.checkpoints += 1;
  }

  private capture(header: WalIndexHeader): void {
    const before = this.speculativeHeader;
    invariant(header.pageSize === this.pageSize, "the page size of a database never changes");
    this.verify(before, header);
    const newest = new Map<number, Uint8Array>();
    for (let frame = before.maxFrame; frame < header.maxFrame; frame++) {
      const pageNumber = this.frames.pageNumber(frame);
      if (pageNumber <= header.pageCount) newest.set(pageNumber, this.frames.page(frame));
    }
    const pages: PageVersion[] = [];
    for (const [number, bytes] of newest) pages.push({ number, bytes });
    pages.sort((a, b) => a.number - b.number);
    const { pageSize } = this;
    const { pageCount } = header;
    const isWhole = growsWithoutGaps({ pageCount, pages }, pageSize, before.pageCount);
    invariant(isWhole, "SQLite writes every page that it adds to a database");
    const { payload, digests } = encodePayload(pageSize, pageCount, pages);
    // It would reach every disk before anybody looked at it again.
    invariant(saysJust(payload, pageSize, pageCount, digests), "a payload says what the transaction did");
    this.frames.truncate(header.maxFrame);
    this.commits.push({ header, digests, payload });
    this.speculativeHeader = header;
    this.installed = header;
    this.lastChange = Math.max(this.lastChange, header.change);
  }

  /** The salts and checksums of what SQLite appended, after which nobody needs them any more. */
  private verify(before: WalIndexHeader, after: WalIndexHeader): void {
    let chain = new WalChain("little-endian", before.salt, before.frameChecksum);
    if (before.maxFrame === 0) {
      const wal = decodeWalHeader(this.walHeader);
      invariant(wal.ok && wal.value.pageSize === this.pageSize, "SQLite begins a WAL with a valid header");
      chain = new WalChain(wal.value.order, wal.value.salt, wal.value.checksum);
    }
    for (let frame = before.maxFrame; frame < after.maxFrame; frame++) {
      const accepted = chain.accept(this.frames.headers, frame * FRAME_HEADER_SIZE, this.frames.page(frame));
      invariant(accepted.ok, "SQLite appends frames with the right salts and checksums");
      if (frame + 1 < after.maxFrame) continue;
      const { databaseSizeAfterCommit } = accepted.header;
      invariant(databaseSizeAfterCommit === after.pageCount, "the last frame of a transaction commits it");
    }
  }

  private append({ pageCount, pages }: Transaction): void {
    const { salt, frameChecksum } = this.applied;
    pages.forEach((page, at) => {
      // The checksum stands still over frames that SQLite did not write: its next one continues from here.
      const databaseSizeAfterCommit = at + 1 === pages.length ? pageCount : 0;
      const header = { pageNumber: page.number, databaseSizeAfterCommit, salt, checksum: frameChecksum };
      this.frames.append(header, page.bytes);
      this.walIndex?.append(this.frames.count, page.number);
    });
    this.speculativeHeader = this.changed(this.applied, { maxFrame: this.frames.count, pageCount });
    this.setApplied(this.speculativeHeader, pages);
  }

  private setApplied(header: WalIndexHeader, digests: readonly PageDigest[]): void {
    this.applied = header;
    for (const { number, crc } of digests) {
      this.rolling.set(number, crc);
      this.cuts.mark(number);
    }
    this.rolling.truncate(header.pageCount);
    this.checkpointIfDue();
  }

  private changed(header: WalIndexHeader, change: { maxFrame?: number; pageCount?: number }): WalIndexHeader {
    this.lastChange += 1;
    return makeWalIndexHeader({ ...header, ...change, change: this.lastChange });
  }
}
