/**
 * The file `identity`: which node this directory belongs to, and which cluster. Only ever replaced as a whole. Who is
 * of that cluster now is no matter of this file: it names the founders, and a node may have joined later.
 *
 *    0   8  magic "qliteidn"
 *    8   4  version, 1
 *   12   4  CRC-32C of all other bytes of the file
 *   16   8  incarnation
 *   24  64  node (block.ts)
 *   88   4  number of founders; 0: this node belongs to no cluster yet
 *   92   4  zero
 *   96  16  cluster id; zero where there is no cluster
 *  112  72  for each founder, ascending by name: incarnation (8), node (64)
 */
import type { ByteReader } from "../bytes.ts";
import { invariant } from "../invariant.ts";
import type { ClusterId, Founder, Identity, Incarnation, NodeId } from "../types.ts";
import {
  type BlockPlace, type Judged, beginBlock, brokenField, brokenRule, openBlock, readNode, sealBlock, writeNode,
} from "./block.ts";

export const IDENTITY_FILE = "identity";
export const IDENTITY_VERSION = 1;

const HEADER_SIZE = 112;
const FOUNDER_SIZE = 72;
const MAX_FOUNDERS = 1000;
/** A file larger than this is not read at all. */
export const MAX_IDENTITY_SIZE = HEADER_SIZE + MAX_FOUNDERS * FOUNDER_SIZE;

const PLACE: BlockPlace = { file: IDENTITY_FILE, offset: 0, magic: "qliteidn", version: IDENTITY_VERSION };

export function encodeIdentity(identity: Identity): Uint8Array {
  const founders = identity.cluster?.founders ?? [];
  invariant(identity.cluster === null || founders.length > 0, "a cluster has founders");
  invariant(founders.length <= MAX_FOUNDERS, "a cluster has at most a thousand founders");
  invariant(areSorted(founders), "founders ascend by name");
  const writer = beginBlock(PLACE).hex(identity.incarnation);
  writeNode(writer, identity.node).u32(founders.length).u32(0).hex(identity.cluster?.id ?? "00".repeat(16));
  for (const founder of founders) writeNode(writer.hex(founder.incarnation), founder.node);
  return sealBlock(writer);
}

export function decodeIdentity(bytes: Uint8Array): Judged<Identity> {
  const opened = openBlock(PLACE, bytes);
  if (!opened.ok) return opened;
  const reader = opened.value;
  const incarnation = reader.hex(8) as Incarnation;
  const node = readNode(reader);
  reader.demand(node !== null, "an identity names its node", 24);
  const count = reader.u32();
  reader.demand(count <= MAX_FOUNDERS, "a cluster has at most a thousand founders", 88);
  reader.demand(reader.u32() === 0, "reserved bytes are zero", 92);
  const id = reader.hex(16) as ClusterId;
  const founders = readFounders(reader, count);
  const finished = reader.finish(null);
  if (!finished.ok) return brokenField(PLACE, finished.fault);
  const identity: Identity = { node: node as NodeId, incarnation, cluster: count === 0 ? null : { id, founders } };
  if (!areSorted(founders)) return brokenRule(IDENTITY_FILE, HEADER_SIZE, "founders ascend by name");
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
