/**
 * The beginning that all our files share, so that any version of this program can tell a damaged file from a foreign or
 * a newer one.
 *
 *    0   8  magic: which file this is
 *    8   4  version of its format
 *   12   4  CRC-32C of all other bytes of the block
 *   16   …  what the format says
 *
 * This much holds for every version to come: the checksum is judged before the version, so that a flipped bit is never
 * reported as a newer format. A node's name is a field of 64 bytes: its length, then 63 bytes filled up with zeros; a
 * member's id one of 81.
 *
 * Files that belong to one cluster go on with their owner:
 *
 *   16   8  incarnation
 *   24  16  cluster id
 *   40  64  node
 *  104   …
 */
import { ByteReader, ByteWriter, type DecodeFault } from "../bytes.ts";
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import {
  type ClusterId, type Identity, type Incarnation, type MemberId, type NodeId, isMemberId, isNodeId,
} from "../types.ts";
import { decodeUtf8, encodeUtf8 } from "../utf8.ts";
import type { StorageFault } from "./boundary.ts";

/** A judgement on bytes from a disk: what they say, or why they cannot be used. */
export type Judged<T> = { readonly ok: true; readonly value: T } | Refused;

export interface Refused {
  readonly ok: false;
  readonly fault: StorageFault;
}

/** Which node's file this is, in which life of its disk, in which cluster. */
export interface Owner {
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly cluster: ClusterId;
}

/** Where a block of our files stands and what it has to be. */
export interface BlockPlace {
  readonly file: string;
  readonly offset: number;
  /** Eight ASCII characters. */
  readonly magic: string;
  readonly version: number;
}

const CHECKSUM_AT = 12;
const BODY_AT = 16;
const NODE_SIZE = 64;
const MEMBER_SIZE = 81;

export function ownerOf(identity: Identity): Owner {
  invariant(identity.cluster !== null, "only a member of a cluster owns a log and a term");
  return { node: identity.node, incarnation: identity.incarnation, cluster: identity.cluster.id };
}

export function corrupt(file: string, offset: number, detail: string): Refused {
  return { ok: false, fault: { type: "corrupt", file, offset, detail } };
}

/** The bytes break this rule of ours, which is stated positively. */
export function brokenRule(file: string, offset: number, rule: string): Refused {
  return corrupt(file, offset, `the rule "${rule}" is broken`);
}

export function brokenField(place: BlockPlace, fault: DecodeFault): Refused {
  return brokenRule(place.file, place.offset + fault.offset, fault.rule);
}

/** Starts a block; its fields follow, then `sealBlock`. */
export function beginBlock(place: BlockPlace): ByteWriter {
  return new ByteWriter(512).raw(encodeUtf8(place.magic)).u32(place.version).u32(0);
}

/** Fills the block up with zeros to `size` and sets its checksum. */
export function sealBlock(writer: ByteWriter, size = writer.length): Uint8Array {
  invariant(writer.length <= size, "the fields of a block lie within it");
  writer.raw(new Uint8Array(size - writer.length));
  writer.patchU32(CHECKSUM_AT, blockChecksum(writer.finish()));
  return writer.finish();
}

/** A reader of the block's fields, once magic, checksum and version have been found right. */
export function openBlock(place: BlockPlace, bytes: Uint8Array): Judged<ByteReader> {
  if (bytes.length < BODY_AT) return corrupt(place.file, place.offset, `the block has only ${bytes.length} bytes`);
  const reader = new ByteReader(bytes);
  const magic = decodeUtf8(reader.raw(place.magic.length));
  if (magic !== place.magic) return corrupt(place.file, place.offset, `does not begin with "${place.magic}"`);
  const version = reader.u32();
  if (reader.u32() !== blockChecksum(bytes)) return brokenRule(place.file, place.offset, "a block's checksum matches");
  if (version !== place.version) {
    return { ok: false, fault: { type: "wrongVersion", file: place.file, found: version, expected: place.version } };
  }
  return { ok: true, value: reader };
}

/** The checksum that stands in a sealed block. */
export function checksumOf(block: Uint8Array): number {
  const reader = new ByteReader(block);
  reader.raw(CHECKSUM_AT);
  return reader.u32();
}

function blockChecksum(bytes: Uint8Array): number {
  return crc32c(bytes, BODY_AT, bytes.length, crc32c(bytes, 0, CHECKSUM_AT));
}

/** `null` is written as a field of length 0. */
export function writeNode(writer: ByteWriter, node: NodeId | null): ByteWriter {
  return writeName(writer, node ?? "", NODE_SIZE);
}

/** null: the field is empty. A name that is none is a fault of the reader. */
export function readNode(reader: ByteReader): NodeId | null {
  const from = reader.offset;
  const name = readName(reader, NODE_SIZE);
  const rule = "a node's name consists of [A-Za-z0-9_.-] and begins with a letter or digit";
  reader.demand(name === "" || isNodeId(name), rule, from);
  return name === "" ? null : (name as NodeId);
}

/** `null` is written as a field of length 0. */
export function writeMember(writer: ByteWriter, member: MemberId | null): ByteWriter {
  return writeName(writer, member ?? "", MEMBER_SIZE);
}

/** null: the field is empty. An id that is none is a fault of the reader. */
export function readMember(reader: ByteReader): MemberId | null {
  const from = reader.offset;
  const id = readName(reader, MEMBER_SIZE);
  reader.demand(id === "" || isMemberId(id), "a member's id is a node's name, @ and 16 hex digits", from);
  return id === "" ? null : (id as MemberId);
}

function writeName(writer: ByteWriter, text: string, fieldSize: number): ByteWriter {
  const name = encodeUtf8(text);
  invariant(name.length < fieldSize, "a name fits into its field");
  return writer.u8(name.length).raw(name).raw(new Uint8Array(fieldSize - 1 - name.length));
}

function readName(reader: ByteReader, fieldSize: number): string {
  const from = reader.offset;
  const size = reader.u8();
  const field = reader.raw(fieldSize - 1);
  reader.demand(size < fieldSize, "a name fits into its field", from);
  const name = decodeUtf8(field.subarray(0, Math.min(size, field.length)));
  reader.demand(name !== null, "a name is valid UTF-8", from);
  return name ?? "";
}

export function writeOwner(writer: ByteWriter, owner: Owner): ByteWriter {
  return writeNode(writer.hex(owner.incarnation).hex(owner.cluster), owner.node);
}

export function readOwner(reader: ByteReader): Owner {
  const from = reader.offset;
  const incarnation = reader.hex(8) as Incarnation;
  const cluster = reader.hex(16) as ClusterId;
  const node = readNode(reader);
  reader.demand(node !== null, "a file belongs to a node", from);
  return { node: node ?? ("" as NodeId), incarnation, cluster };
}

/** null: the block belongs to `owner`. */
export function judgeOwner(place: BlockPlace, reader: ByteReader, owner: Owner): StorageFault | null {
  const found = readOwner(reader);
  if (reader.fault !== null) return brokenField(place, reader.fault).fault;
  return foreignOwner(place.file, found, owner);
}

/** null: they are the same. */
export function foreignOwner(file: string, found: Owner, expected: Owner): StorageFault | null {
  const [one, other] = [describeOwner(found), describeOwner(expected)];
  return one === other ? null : { type: "wrongIdentity", file, found: one, expected: other };
}

function describeOwner({ node, incarnation, cluster }: Owner): string {
  return `node ${node}, incarnation ${incarnation}, cluster ${cluster}`;
}
