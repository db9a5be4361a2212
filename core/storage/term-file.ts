/**
 * The file `term`: the hard state (current term and vote) in two slots that take turns. A write touches only the slot
 * with the older one, so that a torn write leaves the newer one as it was: the newest intact slot wins.
 *
 * A slot is a block (block.ts) of 512 bytes; slot 0 stands at 0, slot 1 at 4096; generation g stands in slot g % 2.
 *
 *    0   8  magic "qliteter"
 *    8   4  version, 2
 *   12   4  CRC-32C of all other bytes of the slot
 *   16  88  owner (block.ts)
 *  104   8  generation: 1 at creation, one more with each write
 *  112   8  current term
 *  120  81  the vote in it, a member's id (block.ts); empty: none
 *  201 311  zero
 *
 * The file is created with generation 1 in place (term 0, no vote) and the other slot blank. So whenever it exists one
 * slot is intact: two damaged ones are corruption. And one damaged slot is a torn write only if no record of the log
 * knows its generation to be durable (record.ts).
 */
import { invariant } from "../invariant.ts";
import type { HardState, Term } from "../types.ts";
import {
  type BlockPlace, type Judged, type Owner, beginBlock, brokenField, brokenRule, corrupt, judgeOwner, openBlock,
  readMember, sealBlock, writeMember, writeOwner,
} from "./block.ts";

export const TERM_FILE = "term";
export const TERM_VERSION = 2;
export const SLOT_SIZE = 512;

const SLOT_DISTANCE = 4096;
export const TERM_FILE_SIZE = 2 * SLOT_DISTANCE;

export const INITIAL_HARD_STATE: HardState = { currentTerm: 0 as Term, votedFor: null };

export interface TermSlot {
  readonly generation: number;
  readonly hardState: HardState;
}

/** What a new file begins with. */
export const FIRST_SLOT: TermSlot = { generation: 1, hardState: INITIAL_HARD_STATE };

/** Where the slot of a generation stands. */
export function slotOffset(generation: number): number {
  return (generation % 2) * SLOT_DISTANCE;
}

export function encodeSlot(owner: Owner, slot: TermSlot): Uint8Array {
  invariant(slot.generation >= FIRST_SLOT.generation, "generations begin at 1");
  const writer = writeOwner(beginBlock(placeOf(slotOffset(slot.generation))), owner);
  writer.u64(slot.generation).u64(slot.hardState.currentTerm);
  return sealBlock(writeMember(writer, slot.hardState.votedFor), SLOT_SIZE);
}

/** The whole file as it is created. */
export function encodeNewTermFile(owner: Owner): Uint8Array {
  const bytes = new Uint8Array(TERM_FILE_SIZE);
  bytes.set(encodeSlot(owner, FIRST_SLOT), slotOffset(FIRST_SLOT.generation));
  return bytes;
}

/** The newest intact slot of the whole file. */
export function decodeTermFile(bytes: Uint8Array, owner: Owner): Judged<TermSlot> {
  const even = decodeSlot(bytes, 0, owner);
  const odd = decodeSlot(bytes, SLOT_DISTANCE, owner);
  // Another version or another owner is no damage: an intact slot says so.
  for (const slot of [even, odd]) if (!slot.ok && slot.fault.type !== "corrupt") return slot;
  if (!even.ok && !odd.ok) {
    return corrupt(TERM_FILE, 0, `both slots are damaged (${detailOf(even)}; ${detailOf(odd)})`);
  }
  if (!even.ok) return odd;
  if (!odd.ok) return even;
  const [older, newer] = even.value.generation < odd.value.generation ? [even, odd] : [odd, even];
  if (newer.value.generation !== older.value.generation + 1) {
    return brokenRule(TERM_FILE, 0, "the slots hold consecutive generations");
  }
  if (newer.value.hardState.currentTerm < older.value.hardState.currentTerm) {
    return brokenRule(TERM_FILE, slotOffset(newer.value.generation), "the term never falls");
  }
  return newer;
}

function decodeSlot(file: Uint8Array, offset: number, owner: Owner): Judged<TermSlot> {
  const place = placeOf(offset);
  const opened = openBlock(place, file.subarray(offset, offset + SLOT_SIZE));
  if (!opened.ok) return opened;
  const reader = opened.value;
  const foreign = judgeOwner(place, reader, owner);
  if (foreign !== null) return { ok: false, fault: foreign };
  const generation = reader.u64();
  const currentTerm = reader.u64() as Term;
  const votedFor = readMember(reader);
  if (reader.fault !== null) return brokenField(place, reader.fault);
  if (slotOffset(generation) !== offset) return brokenRule(TERM_FILE, offset, "a generation stands in its own slot");
  return { ok: true, value: { generation, hardState: { currentTerm, votedFor } } };
}

function placeOf(offset: number): BlockPlace {
  return { file: TERM_FILE, offset, magic: "qliteter", version: TERM_VERSION };
}

function detailOf(slot: Judged<TermSlot>): string {
  return !slot.ok && slot.fault.type === "corrupt" ? slot.fault.detail : "intact";
}
