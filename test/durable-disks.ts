/** Disks as the oracles see them, made by hand: an identity, a hard state, and a log of one segment, all synced. */
import { type Configuration, type MemberRole, newMember } from "../core/raft/configuration.ts";
import { encodeConfiguration } from "../core/raft/configuration-codec.ts";
import { checksumOf, type Owner } from "../core/storage/block.ts";
import { encodeIdentity, IDENTITY_FILE } from "../core/storage/identity-file.ts";
import { Log, segmentOf } from "../core/storage/log.ts";
import { encodeSegmentHeader, segmentFile } from "../core/storage/segment-file.ts";
import { encodeNewTermFile, encodeSlot, FIRST_SLOT, slotOffset, TERM_FILE } from "../core/storage/term-file.ts";
import type {
  ClusterId, Entry, EntryId, HardState, Incarnation, LogIndex, MemberId, NodeId, Term,
} from "../core/types.ts";
import { memberIdOf, NO_ENTRY } from "../core/types.ts";
import type { DurableDisk } from "../sim/oracles/boundary.ts";

export const CLUSTER = "0123456789abcdef0123456789abcdef" as ClusterId;
export const INCARNATION = "0123456789abcdef" as Incarnation;
export const memberOf = (node: NodeId): MemberId => memberIdOf(node, INCARNATION);

/** "a b d:standby / a b c": the members (voters unless told), and behind the stroke the outgoing voters. */
export function configuration(text: string): Configuration {
  const [members = "", outgoing = ""] = text.split("/");
  const read = (list: string) => list.trim().split(" ").filter((word) => word !== "").map((word) => {
    const [name = "", role = "voter"] = word.split(":");
    return newMember(memberOf(name as NodeId), role as MemberRole);
  });
  return { members: read(members), outgoing: read(outgoing), version: 1 };
}

/**
 * Entries by their terms, "1 1 2" being 1/1, 1/2 and 2/3; `payload` is the same for all. "1=a b" is an entry with a
 * configuration; entries are parted by two blanks then.
 */
export function entries(terms: string, payload = 7): Entry[] {
  const words = terms.split(terms.includes("=") ? "  " : " ").filter((word) => word !== "");
  return words.map((word, at): Entry => {
    const [term, said] = word.split("=");
    const id = { term: Number(term) as Term, index: (at + 1) as LogIndex };
    if (said === undefined) return { ...id, kind: "payload", payload: Uint8Array.of(payload) };
    return { ...id, kind: "configuration", payload: encodeConfiguration(configuration(said)) };
  });
}

/** A disk with this log and hard state, all synced. */
export function disk(
  node: NodeId, terms: string, hardState: HardState, payload = 7, generation = 2, lost: EntryId | null = null,
): DurableDisk {
  const owner: Owner = { node, incarnation: INCARNATION, cluster: CLUSTER };
  const header = { sequence: 1, start: 0, base: NO_ENTRY, previous: 0, startsAnew: false, size: 1_000_000 };
  const head = encodeSegmentHeader(owner, header);
  const log = new Log(segmentOf(header, checksumOf(head)));
  const records = log.append([{ truncateTo: null, entries: entries(terms, payload) }], { through: 0, generation: 1 });
  const segment = new Uint8Array(head.length + records.length + 100);
  segment.set(head);
  segment.set(records, head.length);
  const term = encodeNewTermFile(owner);
  for (const one of [generation - 1, generation]) {
    const slot = { ...FIRST_SLOT, generation: one, hardState, lost: one === generation ? lost : null };
    term.set(encodeSlot(owner, slot), slotOffset(one));
  }
  const founders = [{ node, incarnation: INCARNATION }];
  const identity = encodeIdentity({ node, incarnation: INCARNATION, cluster: { id: CLUSTER, founders } });
  const files: Record<string, Uint8Array> = { [IDENTITY_FILE]: identity, [segmentFile(1)]: segment, [TERM_FILE]: term };
  const names = Object.keys(files).sort();
  return { durable: (file) => files[file] ?? null, listDurable: () => names, isDamaged: lost !== null };
}
