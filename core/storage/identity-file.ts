/**
 * The file `identity`: which node this directory belongs to, and which cluster. Only ever replaced as a whole.
 *
 *    0   8  magic "qliteidn"
 *    8   4  version, 1
 *   12   4  CRC-32C of all other bytes of the file
 *   16   8  incarnation
 *   24  64  node (block.ts)
 *   88   4  number of members; 0: this node belongs to no cluster yet
 *   92   4  zero
 *   96  16  cluster id; zero where there is no cluster
 *  112  72  for each member, ascending by name: incarnation (8), node (64)
 */
import type { ByteReader } from "../bytes.ts";
import { invariant } from "../invariant.ts";
import type { ClusterId, Identity, Incarnation, Member, NodeId } from "../types.ts";
import {
  type BlockPlace, type Judged, beginBlock, brokenField, brokenRule, openBlock, readNode, sealBlock, writeNode,
} from "./block.ts";

export const IDENTITY_FILE = "identity";
export const IDENTITY_VERSION = 1;

const HEADER_SIZE = 112;
const MEMBER_SIZE = 72;
const MAX_MEMBERS = 1000;
/** A file larger than this is not read at all. */
export const MAX_IDENTITY_SIZE = HEADER_SIZE + MAX_MEMBERS * MEMBER_SIZE;

const PLACE: BlockPlace = { file: IDENTITY_FILE, offset: 0, magic: "qliteidn", version: IDENTITY_VERSION };

export function encodeIdentity(identity: Identity): Uint8Array {
  const members = identity.cluster?.members ?? [];
  invariant(identity.cluster === null || members.length > 0, "a cluster has members");
  invariant(members.length <= MAX_MEMBERS, "a cluster has at most a thousand members");
  invariant(identity.cluster === null || names(members, identity), "a node is a member of its own cluster");
  invariant(areSorted(members), "members ascend by name");
  const writer = beginBlock(PLACE).hex(identity.incarnation);
  writeNode(writer, identity.node).u32(members.length).u32(0).hex(identity.cluster?.id ?? "00".repeat(16));
  for (const member of members) writeNode(writer.hex(member.incarnation), member.node);
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
  reader.demand(count <= MAX_MEMBERS, "a cluster has at most a thousand members", 88);
  reader.demand(reader.u32() === 0, "reserved bytes are zero", 92);
  const id = reader.hex(16) as ClusterId;
  const members = readMembers(reader, count);
  const finished = reader.finish(null);
  if (!finished.ok) return brokenField(PLACE, finished.fault);
  const identity: Identity = { node: node as NodeId, incarnation, cluster: count === 0 ? null : { id, members } };
  if (!areSorted(members)) return brokenRule(IDENTITY_FILE, HEADER_SIZE, "members ascend by name");
  if (count > 0 && !names(members, identity)) {
    return brokenRule(IDENTITY_FILE, HEADER_SIZE, "a node is a member of its own cluster");
  }
  return { ok: true, value: identity };
}

function readMembers(reader: ByteReader, count: number): Member[] {
  const members: Member[] = [];
  for (let read = 0; read < count && reader.fault === null; read++) {
    const incarnation = reader.hex(8) as Incarnation;
    const node = readNode(reader);
    reader.demand(node !== null, "a member has a name");
    if (node !== null) members.push({ node, incarnation });
  }
  return members;
}

function areSorted(members: readonly Member[]): boolean {
  return members.every((member, at) => at === 0 || (members[at - 1] as Member).node < member.node);
}

function names(members: readonly Member[], identity: Identity): boolean {
  return members.some((member) => member.node === identity.node && member.incarnation === identity.incarnation);
}
