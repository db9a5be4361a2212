/**
 * The file `identity`: which node this directory belongs to, and which cluster. Only ever replaced as a whole. Who is
 * of that cluster now is no matter of this file: it names the founders, and a node may have joined later.
 *
 * It consists of two blocks of 8192 bytes that say the same, as without it nothing else in the directory can be used:
 *
 *    0   8  magic "qliteidn"
 *    8   4  version, 2
 *   12   4  CRC-32C of all other bytes of the block
 *   16   8  incarnation
 *   24  64  node (block.ts)
 *   88   4  number of founders; 0: this node belongs to no cluster yet
 *   92   4  zero
 *   96  16  cluster id; zero where there is no cluster
 *  112  72  for each founder, ascending by name: incarnation (8), node (64)
 *    …   …  zero
 */
import type { ByteReader } from "../bytes.ts";
import { invariant } from "../invariant.ts";
import type { ClusterId, Founder, Identity, Incarnation, NodeId } from "../types.ts";
import {
  type BlockPlace, type Judged, type Refused, beginBlock, brokenField, brokenRule, corrupt, openBlock, readNode,
  sealBlock, writeNode,
} from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { resultOf } from "./disk-result.ts";
import { type DiskProcedure, FileWindow } from "./file-window.ts";

export const IDENTITY_FILE = "identity";
export const IDENTITY_VERSION = 2;

const HEADER_SIZE = 112;
const MAX_FOUNDERS = 64;
/** Of each of the two blocks. */
const COPY_SIZE = 8192;
export const IDENTITY_SIZE = 2 * COPY_SIZE;

const PLACE: BlockPlace = { file: IDENTITY_FILE, offset: 0, magic: "qliteidn", version: IDENTITY_VERSION };

/** What a file says, and what is to be done about it. */
export interface FoundIdentity {
  readonly identity: Identity;
  /** What was found damaged, beside a copy that is not. */
  readonly damage: readonly StorageFault[];
  /** Where a copy is missing. */
  readonly missingAt: readonly number[];
}

/** The whole file. */
export function encodeIdentity(identity: Identity): Uint8Array {
  const founders = identity.cluster?.founders ?? [];
  invariant(identity.cluster === null || founders.length > 0, "a cluster has founders");
  invariant(founders.length <= MAX_FOUNDERS, "a cluster has at most 64 founders");
  invariant(areSorted(founders), "founders ascend by name");
  const writer = beginBlock(PLACE).hex(identity.incarnation);
  writeNode(writer, identity.node).u32(founders.length).u32(0).hex(identity.cluster?.id ?? "00".repeat(16));
  for (const founder of founders) writeNode(writer.hex(founder.incarnation), founder.node);
  const copy = sealBlock(writer, COPY_SIZE);
  const bytes = new Uint8Array(IDENTITY_SIZE);
  bytes.set(copy);
  bytes.set(copy, COPY_SIZE);
  return bytes;
}

/** Reads the file, and durably mends a copy from the other one. */
export function* recoverIdentity(): DiskProcedure<Judged<FoundIdentity>> {
  const found = yield* readIdentity();
  if (!found.ok || found.value.missingAt.length === 0) return found;
  const copy = encodeIdentity(found.value.identity).subarray(0, COPY_SIZE);
  for (const offset of found.value.missingAt) yield { type: "write", file: IDENTITY_FILE, offset, bytes: copy };
  yield { type: "sync", file: IDENTITY_FILE };
  return found;
}

/** The same, and nothing is mended. */
export function* readIdentity(): DiskProcedure<Judged<FoundIdentity>> {
  const size = resultOf(yield { type: "open", file: IDENTITY_FILE, create: false }, "open").size ?? 0;
  const window = new FileWindow(IDENTITY_FILE, Math.min(size, IDENTITY_SIZE), IDENTITY_SIZE);
  const bytes = yield* window.take(0, IDENTITY_SIZE);
  return decodeIdentity(bytes, (offset) => window.unreadableIn(offset, offset + COPY_SIZE) === null);
}

/** What the bytes of the whole file say. @param isReadable whether the copy at an offset could be read */
export function decodeIdentity(
  bytes: Uint8Array, isReadable: (offset: number) => boolean = () => true,
): Judged<FoundIdentity> {
  const copies = [0, COPY_SIZE].map((offset) => {
    const judged = isReadable(offset) ? judgeCopy(bytes, offset) : corrupt(IDENTITY_FILE, offset, "cannot be read");
    return { offset, judged };
  });
  // The block of another version may have another size: all of the file, say.
  const whole = openBlock(PLACE, bytes);
  if (!whole.ok && whole.fault.type === "wrongVersion") return whole;
  for (const { judged } of copies) if (!judged.ok && judged.fault.type !== "corrupt") return judged;
  const intact = copies.find(({ judged }) => judged.ok)?.judged;
  if (intact === undefined || !intact.ok) return copies[0]?.judged as Refused;
  const missing = copies.filter(({ judged }) => !judged.ok);
  const damage = missing.flatMap(({ judged }) => (judged.ok ? [] : [judged.fault]));
  return { ok: true, value: { identity: intact.value, damage, missingAt: missing.map(({ offset }) => offset) } };
}

function judgeCopy(file: Uint8Array, offset: number): Judged<Identity> {
  const place = { ...PLACE, offset };
  const bytes = file.subarray(offset, offset + COPY_SIZE);
  const opened = openBlock(place, bytes);
  if (!opened.ok) return opened;
  if (bytes.length < COPY_SIZE) return brokenRule(IDENTITY_FILE, offset, "a copy of an identity has 8192 bytes");
  const reader = opened.value;
  const incarnation = reader.hex(8) as Incarnation;
  const node = readNode(reader);
  reader.demand(node !== null, "an identity names its node", 24);
  const count = reader.u32();
  reader.demand(count <= MAX_FOUNDERS, "a cluster has at most 64 founders", 88);
  reader.demand(reader.u32() === 0, "reserved bytes are zero", 92);
  const id = reader.hex(16) as ClusterId;
  const founders = readFounders(reader, count);
  if (reader.fault !== null) return brokenField(place, reader.fault);
  const identity: Identity = { node: node as NodeId, incarnation, cluster: count === 0 ? null : { id, founders } };
  if (!areSorted(founders)) return brokenRule(IDENTITY_FILE, offset + HEADER_SIZE, "founders ascend by name");
  return { ok: true, value: identity };
}

function readFounders(reader: ByteReader, count: number): Founder[] {
  const founders: Founder[] = [];
  for (let read = 0; read < count && reader.fault === null; read++) {
    const incarnation = reader.hex(8) as Incarnation;
    const node = readNode(reader);
    reader.demand(node !== null, "a founder has a name");
    if (node !== null) founders.push({ node, incarnation });
  }
  return founders;
}

function areSorted(founders: readonly Founder[]): boolean {
  return founders.every((founder, at) => at === 0 || (founders[at - 1] as Founder).node < founder.node);
}
