/**
 * The hello: the first frame of each connection, and the answer to it. Nodes and clients share one port; the hello says
 * which of them calls, whom they mean to reach, and of which cluster they are. The answer says why, where it is no.
 *
 * What is judged here is for the operator's sake: a connection between two clusters, or to the wrong address, fails
 * with a sentence. Safety does not rest on it: peers judge each message again by its envelope (peer.ts). Nor is it
 * judged who belongs to the cluster: an empty node that wants to, or one that left and has not heard of it, may call.
 *
 * Hello, little-endian; the first 12 bytes are the same in every version, ever:
 *
 *    0  10  the characters "quorumlite"
 *   10   2  protocol version: 1
 *   12   1  role: 1 peer, 2 client
 *   13  16  cluster id of the caller; zeros: none, or not known yet
 *   29   8  incarnation of the caller; zeros: a client, or not known yet
 *   37      length u8 and name of the caller: a peer's node id, empty for a client
 *           length u8 and name of the node that is meant; empty: any
 *
 * Answer; the first 13 bytes and the detail are the same in every version:
 *
 *    0  10  the characters "quorumlite"
 *   10   2  protocol version of the answering node
 *   12   1  verdict: 0 accepted, otherwise the reason's number, see REFUSALS
 *   13   4  detail: length u32, UTF-8; empty if accepted
 *           cluster id 16, incarnation 8, length u8 and name of the answering node
 */
import type { ClusterId, Identity, Incarnation, NodeId } from "../types.ts";
import { isNodeId } from "../types.ts";
import { ByteReader, ByteWriter, type Decoded } from "../bytes.ts";
import { encodeUtf8 } from "../utf8.ts";

export const PROTOCOL_VERSION = 1;
/** Neither a hello nor an answer is larger: what a connection may send before it is accepted. */
export const MAX_HELLO_BYTES = 4096;

const MAGIC = "quorumlite";
const MAX_DETAIL_BYTES = 2048;
const NO_CLUSTER = "0".repeat(32);
const NO_INCARNATION = "0".repeat(16);

export interface Hello {
  readonly role: "peer" | "client";
  /** null: none, or not known yet. */
  readonly cluster: ClusterId | null;
  /** null: a client, or not known yet. */
  readonly incarnation: Incarnation | null;
  /** The caller; null: a client. */
  readonly node: NodeId | null;
  /** The node that the caller means to reach; null: any. */
  readonly target: NodeId | null;
}

/** In the order of their numbers in the answer, from 1. */
export const REFUSALS = [
  /** The first frame is no hello of ours. */
  "malformed",
  /** A version that the answering node does not speak. */
  "unknownVersion",
  /** The caller means another node: an address is wrong. */
  "wrongNode",
  /** The caller bears the answering node's own name. */
  "stranger",
  "wrongCluster",
] as const;
export type Refusal = (typeof REFUSALS)[number];

export type Judgement =
  | { readonly accepted: true; readonly hello: Hello }
  | { readonly accepted: false; readonly reason: Refusal; readonly detail: string };

/** What a node knows of itself when it is called. */
export interface Doorkeeper {
  readonly node: NodeId;
  /** null: not known yet. */
  readonly identity: Identity | null;
}

export interface HelloAnswer {
  readonly version: number;
  readonly verdict: "accepted" | Refusal;
  /** Why, for the operator; empty if accepted. */
  readonly detail: string;
  /** The answering node's own; null: none, or not known yet. */
  readonly cluster: ClusterId | null;
  readonly incarnation: Incarnation | null;
  /** null: it speaks another version. */
  readonly node: NodeId | null;
}

export function encodeHello(hello: Hello): Uint8Array {
  const writer = new ByteWriter().raw(encodeUtf8(MAGIC)).u16(PROTOCOL_VERSION).u8(hello.role === "peer" ? 1 : 2);
  writer.hex(hello.cluster ?? NO_CLUSTER).hex(hello.incarnation ?? NO_INCARNATION);
  writeName(writer, hello.node);
  writeName(writer, hello.target);
  return writer.finish();
}

/** Whether the caller may stay, judged by the first frame of its connection. */
export function judgeHello(bytes: Uint8Array, self: Doorkeeper): Judgement {
  const reader = new ByteReader(bytes);
  reader.demand(bytes.length <= MAX_HELLO_BYTES, `a hello has at most ${MAX_HELLO_BYTES} bytes`);
  const version = readPrefix(reader);
  if (reader.fault !== null) return refuse("malformed", `no hello of quorumlite: ${reader.fault.rule}`);
  if (version !== PROTOCOL_VERSION) {
    const detail = `protocol version ${version} is unknown here; node ${self.node} speaks ${PROTOCOL_VERSION}`;
    return refuse("unknownVersion", detail);
  }
  const decoded = readHello(reader);
  if (!decoded.ok) {
    return refuse("malformed", `no hello of quorumlite at byte ${decoded.fault.offset}: ${decoded.fault.rule}`);
  }
  const hello = decoded.value;
  if (hello.target !== null && hello.target !== self.node) {
    return refuse("wrongNode", `this is node ${self.node}, not ${hello.target}: check the addresses`);
  }
  const { identity } = self;
  const cluster = identity?.cluster ?? null;
  if (hello.cluster !== null && cluster !== null && hello.cluster !== cluster.id) {
    return refuse("wrongCluster", `node ${self.node} is of cluster ${cluster.id}, not of ${hello.cluster}`);
  }
  if (hello.node === self.node) {
    const detail = `the caller says that it is node ${self.node}, which is this one: two nodes bear one name`;
    return refuse("stranger", detail);
  }
  return { accepted: true, hello };
}

function refuse(reason: Refusal, detail: string): Judgement {
  return { accepted: false, reason, detail };
}

export function encodeHelloAnswer(judgement: Judgement, self: Doorkeeper): Uint8Array {
  const verdict = judgement.accepted ? 0 : REFUSALS.indexOf(judgement.reason) + 1;
  const writer = new ByteWriter().raw(encodeUtf8(MAGIC)).u16(PROTOCOL_VERSION).u8(verdict);
  // In ASCII, so that a character is a byte.
  const detail = judgement.accepted ? "" : judgement.detail.slice(0, MAX_DETAIL_BYTES);
  writer.text(detail).hex(self.identity?.cluster?.id ?? NO_CLUSTER).hex(self.identity?.incarnation ?? NO_INCARNATION);
  writeName(writer, self.node);
  return writer.finish();
}

/** An answer of another version is read as far as all versions agree: it is a refusal, and its detail tells. */
export function decodeHelloAnswer(bytes: Uint8Array): Decoded<HelloAnswer> {
  const reader = new ByteReader(bytes);
  const version = readPrefix(reader);
  const number = reader.u8();
  const detail = reader.text(MAX_DETAIL_BYTES);
  if (version !== PROTOCOL_VERSION && reader.fault === null) {
    const verdict = "unknownVersion";
    return { ok: true, value: { version, verdict, detail, cluster: null, incarnation: null, node: null } };
  }
  const verdict = number === 0 ? "accepted" : REFUSALS[number - 1];
  reader.demand(verdict !== undefined, "the verdict is one of this version", 12);
  const cluster = readCluster(reader);
  const incarnation = readIncarnation(reader);
  const node = readName(reader);
  reader.demand(node !== null, "the answering node has a name");
  return reader.finish({ version, verdict: verdict ?? "malformed", detail, cluster, incarnation, node });
}

/** The part that every version shares: the version, or a fault. */
function readPrefix(reader: ByteReader): number {
  let magic = "";
  for (const byte of reader.raw(MAGIC.length)) magic += String.fromCharCode(byte);
  reader.demand(magic === MAGIC, `it starts with "${MAGIC}"`, 0);
  return reader.u16();
}

function readHello(reader: ByteReader): Decoded<Hello> {
  const role = reader.u8();
  reader.demand(role === 1 || role === 2, "the role is 1 or 2", 12);
  const cluster = readCluster(reader);
  const incarnation = readIncarnation(reader);
  const node = readName(reader);
  const target = readName(reader);
  reader.demand((role === 1) === (node !== null), "a peer says its name, a client has none", 37);
  return reader.finish({ role: role === 1 ? "peer" : "client", cluster, incarnation, node, target });
}

function readCluster(reader: ByteReader): ClusterId | null {
  const id = reader.hex(16);
  return id === NO_CLUSTER || reader.fault !== null ? null : (id as ClusterId);
}

function readIncarnation(reader: ByteReader): Incarnation | null {
  const incarnation = reader.hex(8);
  return incarnation === NO_INCARNATION || reader.fault !== null ? null : (incarnation as Incarnation);
}

function writeName(writer: ByteWriter, node: NodeId | null): void {
  const name = node ?? "";
  writer.u8(name.length).raw(encodeUtf8(name));
}

/** null: empty. */
function readName(reader: ByteReader): NodeId | null {
  const from = reader.offset;
  let name = "";
  for (const byte of reader.raw(reader.u8())) name += String.fromCharCode(byte);
  if (name === "") return null;
  reader.demand(isNodeId(name), "a name is a node id", from);
  return name as NodeId;
}
