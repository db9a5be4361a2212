/**
 * A snapshot as one stream of bytes: what is sent to a member, and what SnapshotId names by size and checksum. It names
 * no node and no file of a directory, so whoever has the same files with the same state sends the same stream.
 *
 *    0     4  size of the portable manifest in bytes
 *    4     4  CRC-32C of the portable manifest: the checksum of the stream, as all that follows is vouched for in it
 *    8     …  the portable manifest:
 *               0     4  version, 1
 *               4    32  as in a manifest from 104: entry, checksum of the database, page size and count
 *              36     4  how many files, f
 *              40   16f  the files, oldest first: as in a manifest, without their sequence
 *               …     …  the configuration: u32 size, then core/raft/configuration-codec.ts
 *    …     …  the files, byte for byte, oldest first
 */
import { ByteReader, ByteWriter, type Decoded } from "../bytes.ts";
import { crc32c } from "../checksum.ts";
import { decodeConfiguration, encodeConfiguration } from "../raft/configuration-codec.ts";
import type { SnapshotId } from "../raft/message.ts";
import { sameEntry } from "../types.ts";
import {
  MAX_CONFIGURATION_SIZE, MAX_FILES, type SnapshotState, readState, readTraits, writeState,
} from "./manifest.ts";
import { type PageFileTraits, pageFileSize } from "./page-file.ts";

const STREAM_VERSION = 1;
/** Before the portable manifest. */
export const STREAM_PREFIX_SIZE = 8;
export const MAX_PORTABLE_MANIFEST_SIZE = MAX_CONFIGURATION_SIZE + 64 * 1024;

export interface PortableManifest {
  readonly state: SnapshotState;
  /** Oldest first. */
  readonly files: readonly PageFileTraits[];
}

/** What comes before the files. */
export function encodeStreamHead({ state, files }: PortableManifest): Uint8Array {
  const writer = new ByteWriter(512).u32(0).u32(0).u32(STREAM_VERSION);
  writeState(writer, state).u32(files.length);
  for (const { through, count, checksum } of files) writer.u64(through).u32(count).u32(checksum);
  writer.blob(encodeConfiguration(state.configuration));
  writer.patchU32(0, writer.length - STREAM_PREFIX_SIZE);
  writer.patchU32(4, crc32c(writer.finish(), STREAM_PREFIX_SIZE));
  return writer.finish();
}

export function snapshotIdOf(manifest: PortableManifest, head: Uint8Array): SnapshotId {
  const { state: { entry, configuration, pageSize }, files } = manifest;
  const size = files.reduce((sum, { count }) => sum + pageFileSize(count, pageSize), head.length);
  return { entry, configuration, size, checksum: crc32c(head, STREAM_PREFIX_SIZE) };
}

/** What the first 8 bytes say: how large the head is, together with them. */
export function decodeHeadSize(prefix: Uint8Array): Decoded<number> {
  const reader = new ByteReader(prefix);
  const size = reader.u32();
  reader.demand(size <= MAX_PORTABLE_MANIFEST_SIZE, `a manifest has at most ${MAX_PORTABLE_MANIFEST_SIZE} bytes`, 0);
  reader.u32();
  return reader.finish(STREAM_PREFIX_SIZE + size);
}

/** Judges the whole head of the stream that this snapshot is. */
export function decodeStreamHead(head: Uint8Array, snapshot: SnapshotId): Decoded<PortableManifest> {
  const reader = new ByteReader(head);
  reader.demand(reader.u32() === head.length - STREAM_PREFIX_SIZE, "a manifest has the size that it names", 0);
  reader.demand(reader.u32() === crc32c(head, STREAM_PREFIX_SIZE), "a manifest's checksum matches", 4);
  const version = reader.u32();
  reader.demand(version === STREAM_VERSION, `a manifest has version ${STREAM_VERSION}, not ${version}`, 8);
  const state = readState(reader, STREAM_PREFIX_SIZE + 4);
  const count = reader.u32();
  reader.demand(count <= MAX_FILES, `a snapshot consists of at most ${MAX_FILES} files`, 44);
  const files: PageFileTraits[] = [];
  while (reader.fault === null && files.length < count) {
    files.push(readTraits(reader, files.at(-1)?.through ?? 0, state.entry));
  }
  const configuration = decodeConfiguration(reader.blob(MAX_CONFIGURATION_SIZE));
  if (!configuration.ok) reader.demand(false, `of the configuration: ${configuration.fault.rule}`);
  if (reader.fault !== null || !configuration.ok) return reader.finish(undefined as never);
  const manifest = { state: { ...state, configuration: configuration.value }, files };
  const { entry, size, checksum } = snapshotIdOf(manifest, head);
  const isIt = sameEntry(entry, snapshot.entry) && size === snapshot.size && checksum === snapshot.checksum;
  reader.demand(isIt, "the stream is the one it is named", 4);
  return reader.finish(manifest);
}
