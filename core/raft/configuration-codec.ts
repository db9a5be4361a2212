/**
 * A configuration as bytes: the payload of a configuration entry, and part of a snapshot. Little-endian.
 *
 *   0  1  format version: 1
 *   1  1  number of members
 *   2  1  number of outgoing voters; 0: not joint
 *   3  1  zero
 *   4  4  feature version in force
 *   8     the members, then the outgoing voters, each sorted by id:
 *         id (u8 length, ASCII), role u8 (1 voter, 2 standby, 3 spare), priority u8,
 *         address and failure domain (each u32 length, UTF-8)
 */
import { ByteReader, ByteWriter, type Decoded } from "../bytes.ts";
import { compareNodeIds, type MemberId } from "../types.ts";
import { faultOf, MAX_ADDRESS_LENGTH, MAX_ID_LENGTH, MAX_MEMBERS } from "./configuration.ts";
import type { Configuration, Member, MemberRole } from "./configuration.ts";

const FORMAT_VERSION = 1;
const ROLES: readonly MemberRole[] = ["voter", "standby", "spare"];

export function encodeConfiguration({ members, outgoing, version }: Configuration): Uint8Array {
  const writer = new ByteWriter().u8(FORMAT_VERSION).u8(members.length).u8(outgoing.length).u8(0).u32(version);
  for (const member of [...members, ...outgoing]) {
    writer.u8(member.id.length);
    for (let at = 0; at < member.id.length; at++) writer.u8(member.id.charCodeAt(at));
    writer.u8(ROLES.indexOf(member.role) + 1).u8(member.priority).text(member.address).text(member.failureDomain);
  }
  return writer.finish();
}

/** Never throws. What no configuration is (configuration.ts) is a fault, too. */
export function decodeConfiguration(bytes: Uint8Array): Decoded<Configuration> {
  const reader = new ByteReader(bytes);
  reader.demand(reader.u8() === FORMAT_VERSION, "a configuration has format version 1", 0);
  const count = reader.u8();
  const outgoingCount = reader.u8();
  reader.demand(count <= MAX_MEMBERS && outgoingCount <= MAX_MEMBERS, `at most ${MAX_MEMBERS} are members`, 1);
  reader.demand(reader.u8() === 0, "reserved bytes are zero", 3);
  const version = reader.u32();
  const members = readMembers(reader, count);
  const outgoing = readMembers(reader, outgoingCount);
  if (reader.fault === null) {
    reader.demand(faultOf(members) === null, "the members make a configuration", 8);
    const areVoters = outgoing.every(({ role }) => role === "voter");
    reader.demand(areVoters && (outgoing.length === 0 || faultOf(outgoing) === null), "those being left are voters", 8);
    reader.demand(areSorted(members) && areSorted(outgoing), "members ascend by id", 8);
    reader.demand(version >= 1, "a feature version is positive", 4);
  }
  return reader.finish({ members, outgoing, version });
}

function readMembers(reader: ByteReader, count: number): Member[] {
  const members: Member[] = [];
  while (reader.fault === null && members.length < count) {
    const length = reader.u8();
    reader.demand(length > 0 && length <= MAX_ID_LENGTH, "a member has an id");
    const id = String.fromCharCode(...reader.raw(length)) as MemberId;
    const role = ROLES[reader.u8() - 1];
    reader.demand(role !== undefined, "a role is 1, 2 or 3");
    const priority = reader.u8();
    const address = reader.text(MAX_ADDRESS_LENGTH * 3);
    const failureDomain = reader.text(MAX_ADDRESS_LENGTH * 3);
    members.push({ id, role: role ?? "spare", address, failureDomain, priority });
  }
  return members;
}

function areSorted(members: readonly Member[]): boolean {
  return members.every((member, at) => at === 0 || compareNodeIds((members[at - 1] as Member).id, member.id) < 0);
}
