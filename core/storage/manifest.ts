/**
 * The file `manifest`: the stored snapshot, that is of which entry the state is, and which files of pages it consists
 * of. Only ever replaced as a whole, so a file of this name is whole, and what it names is there.
 *
 * It consists of two equal halves, so that it survives the loss of either. Each is a block (block.ts):
 *
 *    0     8  magic "qlitemft"
 *    8     4  version, 1
 *   12     4  CRC-32C of all other bytes of the half
 *   16    88  owner (block.ts)
 *  104     8  term of the entry
 *  112     8  index of the entry: the last one whose effect is in it
 *  120     8  checksum of the database (core/pages/rolling-checksum.ts)
 *  128     4  page size in bytes, at most 65536; 0 only where there are no pages
 *  132     4  page count of the database: a page beyond it is absent, whatever the files hold
 *  136     4  how many files, f
 *  140     4  size of the configuration in bytes, c
 *  144   24f  the files, oldest first; of all versions of a page the one in the newest file counts:
 *               0  8  sequence: the N in its name
 *               8  8  through: the index of the entry as of which its pages are; never falls from file to file
 *              16  4  how many pages it has
 *              20  4  its checksum (page-file.ts)
 *    …     c  the configuration as of the entry (core/raft/configuration-codec.ts)
 *    …     …  zeros up to half of the file
 *
 * Why the files of a snapshot can be left out from the front by who has a state of its own: between the `through` of
 * one file and that of the next only the pages in the next have changed. So the state as of the entry is that as of any
 * index R before it, with the pages of all files laid over it whose `through` is above R, oldest first.
 */
import type { ByteReader, ByteWriter } from "../bytes.ts";
import { invariant } from "../invariant.ts";
import { decodeConfiguration, encodeConfiguration } from "../raft/configuration-codec.ts";
import type { Configuration } from "../raft/configuration.ts";
import type { SnapshotPoint } from "../raft/message.ts";
import type { EntryId, LogIndex, Term } from "../types.ts";
import {
  type BlockPlace, type Judged, type Owner, beginBlock, brokenField, brokenRule, corrupt, judgeOwner, openBlock,
  sealBlock, writeOwner,
} from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { MAX_PAGES, MAX_PAGE_SIZE, type PageFileTraits } from "./page-file.ts";

export const MANIFEST_FILE = "manifest";
export const MANIFEST_VERSION = 1;
/** Merging keeps them far below it. */
export const MAX_FILES = 1024;
/** No configuration is larger (core/raft/configuration.ts limits its members and their addresses). */
export const MAX_CONFIGURATION_SIZE = 1024 * 1024;

const BLOCK_SIZE = 4096;
const FIXED_SIZE = 144;
const ROW_SIZE = 24;
export const MAX_MANIFEST_SIZE = 2 * (MAX_CONFIGURATION_SIZE + 16 * BLOCK_SIZE);

/** What a snapshot is of, in whatever files it is written down. */
export interface SnapshotState extends SnapshotPoint {
  readonly pageSize: number;
  readonly pageCount: number;
  /** Of the whole database. */
  readonly checksum: number;
}

/** A file as the manifest names it. */
export interface ManifestRow extends PageFileTraits {
  readonly sequence: number;
}

export interface Manifest {
  readonly state: SnapshotState;
  /** Oldest first. */
  readonly files: readonly ManifestRow[];
}

/** How many bytes the whole file needs at least. */
export function manifestSize(configuration: Configuration, fileCount: number): number {
  const size = FIXED_SIZE + fileCount * ROW_SIZE + encodeConfiguration(configuration).length;
  return 2 * Math.ceil(size / BLOCK_SIZE) * BLOCK_SIZE;
}

/** Room for what may come into force between preparation and use. */
const SPARE_ROWS = 64;

/** How large the file is made that is to be a manifest of about so many files. */
export function preparedManifestSize(configuration: Configuration, fileCount: number): number {
  return manifestSize(configuration, fileCount + SPARE_ROWS);
}

/** Both halves. `size`: that of the file, where it is larger than it has to be. */
export function encodeManifest(owner: Owner, { state, files }: Manifest, size = 0): Uint8Array {
  invariant(files.length <= MAX_FILES, "a snapshot consists of few files");
  const configuration = encodeConfiguration(state.configuration);
  const writer = writeState(writeOwner(beginBlock(PLACE), owner), state).u32(files.length).u32(configuration.length);
  for (const { sequence, through, count, checksum } of files) {
    writer.u64(sequence).u64(through).u32(count).u32(checksum);
  }
  const half = Math.max(size, manifestSize(state.configuration, files.length)) / 2;
  const block = sealBlock(writer.raw(configuration), half);
  const both = new Uint8Array(2 * half);
  both.set(block);
  both.set(block, half);
  return both;
}

export interface DecodedManifest {
  readonly manifest: Manifest;
  /** Of one of the halves: the other one is what is returned. null: both are intact. */
  readonly damage: StorageFault | null;
}

/** Judges both halves; one is enough. What cannot be read of them is zeros. */
export function decodeManifest(bytes: Uint8Array, owner: Owner): Judged<DecodedManifest> {
  const half = bytes.length / 2;
  if (bytes.length > MAX_MANIFEST_SIZE || half % BLOCK_SIZE !== 0) {
    return corrupt(MANIFEST_FILE, 0, `has ${bytes.length} bytes, which no manifest has`);
  }
  const first = decodeHalf(bytes.subarray(0, half), owner, 0);
  const second = decodeHalf(bytes.subarray(half), owner, half);
  if (first.ok) {
    const damage = second.ok ? null : second.fault;
    return { ok: true, value: { manifest: first.value, damage } };
  }
  if (second.ok) return { ok: true, value: { manifest: second.value, damage: first.fault } };
  // Of another version, or another node's: that says more than damage.
  return first.fault.type === "corrupt" ? second.fault.type === "corrupt" ? first : second : first;
}

function decodeHalf(bytes: Uint8Array, owner: Owner, offset: number): Judged<Manifest> {
  const place = { ...PLACE, offset };
  const opened = openBlock(place, bytes);
  if (!opened.ok) return opened;
  const reader = opened.value;
  const foreign = judgeOwner(place, reader, owner);
  if (foreign !== null) return { ok: false, fault: foreign };
  const state = readState(reader, 104);
  const count = reader.u32();
  reader.demand(count <= MAX_FILES, `a snapshot consists of at most ${MAX_FILES} files`, 136);
  const configurationSize = reader.u32();
  reader.demand(configurationSize <= MAX_CONFIGURATION_SIZE, "a configuration has at most 1 MiB", 140);
  const files: ManifestRow[] = [];
  while (reader.fault === null && files.length < count) {
    const sequence = reader.u64();
    files.push({ sequence, ...readTraits(reader, files.at(-1)?.through ?? 0, state.entry) });
  }
  const configurationAt = reader.offset;
  const configuration = decodeConfiguration(reader.raw(configurationSize));
  if (reader.fault !== null) return brokenField(place, reader.fault);
  if (configuration.ok) {
    return { ok: true, value: { state: { ...state, configuration: configuration.value }, files } };
  }
  const { fault: { offset: at, rule } } = configuration;
  return brokenRule(MANIFEST_FILE, offset + configurationAt + at, `of the configuration: ${rule}`);
}

/** All of it but the configuration: 32 bytes. */
export function writeState(writer: ByteWriter, { entry, pageSize, pageCount, checksum }: SnapshotState): ByteWriter {
  invariant(pageCount <= MAX_PAGES && pageSize <= MAX_PAGE_SIZE, "a database has a possible size");
  return writer.u64(entry.term).u64(entry.index).u64(checksum).u32(pageSize).u32(pageCount);
}

/** @param at where it begins, for faults */
export function readState(reader: ByteReader, at: number): Omit<SnapshotState, "configuration"> {
  const entry: EntryId = { term: reader.u64() as Term, index: reader.u64() as LogIndex };
  reader.demand(entry.term > 0 && entry.index > 0, "a snapshot is of an entry", at);
  const checksum = reader.u64();
  const pageSize = reader.u32();
  const pageCount = reader.u32();
  reader.demand(pageSize <= MAX_PAGE_SIZE, `a page has at most ${MAX_PAGE_SIZE} bytes`, at + 24);
  reader.demand(pageSize > 0 || pageCount === 0, "pages have a size", at + 24);
  reader.demand(pageCount <= MAX_PAGES, `a database has at most ${MAX_PAGES} pages`, at + 28);
  return { entry, checksum, pageSize, pageCount };
}

/** @param before the `through` of the file before */
export function readTraits(reader: ByteReader, before: number, { index }: EntryId): PageFileTraits {
  const from = reader.offset;
  const through = reader.u64() as LogIndex;
  reader.demand(through >= Math.max(before, 1) && through <= index, "files follow each other up to the entry", from);
  const count = reader.u32();
  reader.demand(count > 0 && count <= MAX_PAGES, `a file has some pages, at most ${MAX_PAGES}`, from + 8);
  return { through, count, checksum: reader.u32() };
}

const PLACE: BlockPlace = { file: MANIFEST_FILE, offset: 0, magic: "qlitemft", version: MANIFEST_VERSION };
