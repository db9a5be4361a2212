/**
 * The file `snapshot`: the state of this node's databases as of one entry, and the configuration as of that entry. Only
 * ever replaced as a whole. `snapshot.new` is one that this node is writing, `snapshot.part` one that it is being sent:
 * neither means anything after a restart.
 *
 *    0     8  magic "qlitesnp"
 *    8     4  version, 1
 *   12     4  CRC-32C of the other 4092 bytes of the header
 *   16    88  owner (block.ts)
 *  104     8  term of the entry
 *  112     8  index of the entry: the last one whose effect is in it
 *  120     8  size of the snapshot in bytes
 *  128     4  CRC-32C of the snapshot
 *  132     4  size of the configuration in bytes
 *  136     4  CRC-32C of the configuration
 *  140  3956  zero
 * 4096     …  the configuration (core/raft/configuration-codec.ts)
 *    …     …  the snapshot, opaque here; nothing follows it
 *
 * The header is written last, and synced with all the rest before the file gets its name: so a file of this name is
 * whole, and one that is not is corrupt.
 */
import { crc32c } from "../checksum.ts";
import { decodeConfiguration, encodeConfiguration } from "../raft/configuration-codec.ts";
import type { SnapshotId } from "../raft/message.ts";
import type { EntryId, LogIndex, Term } from "../types.ts";
import {
  type BlockPlace, type Judged, type Owner, type Refused, beginBlock, brokenField, brokenRule, corrupt, judgeOwner,
  openBlock, sealBlock, writeOwner,
} from "./block.ts";
import { resultOf } from "./disk-result.ts";
import type { DiskProcedure } from "./file-window.ts";

export const SNAPSHOT_FILE = "snapshot";
export const SNAPSHOT_NEW = "snapshot.new";
export const SNAPSHOT_PART = "snapshot.part";
export const SNAPSHOT_VERSION = 1;
export const SNAPSHOT_HEADER_SIZE = 4096;

const PLACE: BlockPlace = { file: SNAPSHOT_FILE, offset: 0, magic: "qlitesnp", version: SNAPSHOT_VERSION };
/** No configuration is larger (core/raft/configuration.ts limits its members and their addresses). */
const MAX_CONFIGURATION_SIZE = 1024 * 1024;

/** A snapshot and where its bytes are to be found in its file. */
export interface StoredSnapshot {
  readonly id: SnapshotId;
  /** CRC-32C of its bytes. */
  readonly checksum: number;
  /** Where they begin in the file. */
  readonly bytesAt: number;
}

interface HeaderFields {
  readonly entry: EntryId;
  readonly size: number;
  readonly checksum: number;
  readonly configurationSize: number;
  readonly configurationChecksum: number;
}

/** Where the bytes of a snapshot with this configuration begin. */
export function bytesAtOf(id: SnapshotId): number {
  return SNAPSHOT_HEADER_SIZE + encodeConfiguration(id.configuration).length;
}

/** Everything that stands before the snapshot's bytes. */
export function encodeSnapshotHeader(owner: Owner, { id, checksum, bytesAt }: StoredSnapshot): Uint8Array {
  const configuration = encodeConfiguration(id.configuration);
  const writer = writeOwner(beginBlock(PLACE), owner).u64(id.entry.term).u64(id.entry.index).u64(id.size);
  writer.u32(checksum).u32(configuration.length).u32(crc32c(configuration));
  const bytes = new Uint8Array(bytesAt);
  bytes.set(sealBlock(writer, SNAPSHOT_HEADER_SIZE));
  bytes.set(configuration, SNAPSHOT_HEADER_SIZE);
  return bytes;
}

/** Judges the file's header and its size; the snapshot itself is judged when it is read as a whole. null: no file. */
export function* recoverSnapshot(owner: Owner): DiskProcedure<Judged<StoredSnapshot | null>> {
  const file = SNAPSHOT_FILE;
  const { size } = resultOf(yield { type: "open", file, create: false }, "open");
  if (size === null) return { ok: true, value: null };
  const block = yield { type: "read", file, offset: 0, length: SNAPSHOT_HEADER_SIZE };
  const fields = decodeFields(resultOf(block, "read").bytes, owner);
  if (!fields.ok) return fields;
  const { entry, checksum, configurationSize } = fields.value;
  const bytesAt = SNAPSHOT_HEADER_SIZE + configurationSize;
  if (size !== bytesAt + fields.value.size) {
    return corrupt(file, 0, `has ${size} bytes instead of the ${bytesAt + fields.value.size} that its header names`);
  }
  const read = yield { type: "read", file, offset: SNAPSHOT_HEADER_SIZE, length: configurationSize };
  const bytes = resultOf(read, "read").bytes;
  if (crc32c(bytes) !== fields.value.configurationChecksum) return brokenConfiguration(0, "its checksum matches");
  const configuration = decodeConfiguration(bytes);
  if (!configuration.ok) return brokenConfiguration(configuration.fault.offset, configuration.fault.rule);
  const id: SnapshotId = { entry, configuration: configuration.value, size: fields.value.size };
  return { ok: true, value: { id, checksum, bytesAt } };
}

function decodeFields(block: Uint8Array, owner: Owner): Judged<HeaderFields> {
  const opened = openBlock(PLACE, block);
  if (!opened.ok) return opened;
  const reader = opened.value;
  const foreign = judgeOwner(PLACE, reader, owner);
  if (foreign !== null) return { ok: false, fault: foreign };
  const entry: EntryId = { term: reader.u64() as Term, index: reader.u64() as LogIndex };
  reader.demand(entry.term > 0 && entry.index > 0, "a snapshot is of an entry", 104);
  const size = reader.u64();
  const checksum = reader.u32();
  const configurationSize = reader.u32();
  reader.demand(configurationSize <= MAX_CONFIGURATION_SIZE, "a configuration has at most 1 MiB", 132);
  const configurationChecksum = reader.u32();
  if (reader.fault !== null) return brokenField(PLACE, reader.fault);
  return { ok: true, value: { entry, size, checksum, configurationSize, configurationChecksum } };
}

function brokenConfiguration(offset: number, rule: string): Refused {
  return brokenRule(SNAPSHOT_FILE, SNAPSHOT_HEADER_SIZE + offset, `of the configuration: ${rule}`);
}
