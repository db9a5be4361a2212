/**
 * The file `term`: the hard state (current term and vote), and what this disk has to say of itself (what it has lost,
 * whether all else on it is of no use), in two slots that take turns. A write touches only the slot with the older
 * state, so that a torn write leaves the newer one as it was: the newest intact slot wins.
 *
 * Each slot stands there twice, written at once, in blocks of their own: what nobody else can give back, a vote, is not
 * lost with one block. Generation g stands in slot g % 2; slot 0 at 0 and 4096, slot 1 at 8192 and 12288. Each copy is
 * a block (block.ts) of 512 bytes, then zeros:
 *
 *    0   8  magic "qliteter"
 *    8   4  version, 4
 *   12   4  CRC-32C of all other bytes of the copy
 *   16  88  owner (block.ts)
 *  104   8  generation: 1 at creation, one more with each write
 *  112   8  current term
 *  120  81  the vote in it, a member's id (block.ts); empty: none
 *  201   1  1: quarantined: log and snapshot are to be discarded; 0: they count
 *  202   1  1: this node may be the only voter (sole-voter.ts); 0: others are counted, too
 *  203   5  zero
 *  208   8  lost: term of the highest entry that may have been acknowledged and is here no more; 0: nothing is lost
 *  216   8  lost: its index; 0: nothing is lost
 *  224   8  vouched: the log's position below which all was durable when the slot was written
 *  232   8  vouched: term of the last entry then; 0: there was none
 *  240   8  vouched: its index; 0: there was none
 *  248 264  zero
 *
 * What a slot vouches for is what records vouch for (log-replay.ts), in another file: damage that takes the log's last
 * group takes this not.
 *
 * The file is created with generation 1 in place (term 0, no vote) and the other slot blank. So whenever it exists one
 * slot is intact. A slot without an intact copy is a torn write, unless a record of the log knows its generation to be
 * durable (record.ts), or it cannot be read, be it that the file is cut short: no torn write leaves that behind. If one
 * copy is blank the slot has never been used, whatever the other was.
 */
import { invariant } from "../invariant.ts";
import { type EntryId, type HardState, type LogIndex, NO_ENTRY, type Term } from "../types.ts";
import {
  type BlockPlace, type Judged, type Owner, type Refused, beginBlock, brokenField, brokenRule, corrupt, judgeOwner,
  openBlock, readMember, sealBlock, writeMember, writeOwner,
} from "./block.ts";
import type { StorageFault } from "./boundary.ts";
import { resultOf } from "./disk-result.ts";
import { type DiskProcedure, FileWindow } from "./file-window.ts";

export const TERM_FILE = "term";
export const TERM_VERSION = 4;
export const SLOT_SIZE = 512;

const COPY_DISTANCE = 4096;
const SLOT_DISTANCE = 2 * COPY_DISTANCE;
const COPIES = [0, COPY_DISTANCE] as const;
export const TERM_FILE_SIZE = 2 * SLOT_DISTANCE;

export const INITIAL_HARD_STATE: HardState = { currentTerm: 0 as Term, votedFor: null };

export interface TermSlot {
  readonly generation: number;
  readonly hardState: HardState;
  /** The highest entry that may have been acknowledged and is here no more; null: nothing is lost. */
  readonly lost: EntryId | null;
  /** Whether log and snapshot are of no use. */
  readonly isQuarantined: boolean;
  /** Whether this node may be the only voter. */
  readonly mayVoteAlone: boolean;
  readonly vouched: Vouched;
}

/** What was durable of the log when a slot was written. */
export interface Vouched {
  /** Everything below this position. */
  readonly through: number;
  /** The last entry. */
  readonly last: EntryId;
}

const NOTHING_VOUCHED: Vouched = { through: 0, last: NO_ENTRY };

/** What a new file begins with. */
export const FIRST_SLOT: TermSlot = {
  generation: 1, hardState: INITIAL_HARD_STATE, lost: null, isQuarantined: false, mayVoteAlone: false,
  vouched: NOTHING_VOUCHED,
};

/** What a file says, and what is to be done about it. */
export interface FoundTerm {
  /** The newest state. */
  readonly slot: TermSlot;
  /** What was found damaged, beside a copy that is not. */
  readonly damage: readonly StorageFault[];
  /** The same, but a torn write may have left it behind: unless the log knows the newest state to be durable. */
  readonly torn: readonly StorageFault[];
  /** Where a copy of the newest state is missing. */
  readonly missingAt: readonly number[];
}

/** Where the first copy of a generation stands. */
export function slotOffset(generation: number): number {
  return (generation % 2) * SLOT_DISTANCE;
}

/** One copy, as a whole block: the disk may be unable to read what it had there. */
export function encodeSlotCopy(owner: Owner, slot: TermSlot): Uint8Array {
  invariant(slot.generation >= FIRST_SLOT.generation, "generations begin at 1");
  const { generation, hardState, lost, isQuarantined, mayVoteAlone, vouched } = slot;
  const writer = writeOwner(beginBlock(placeOf(slotOffset(generation))), owner);
  writeMember(writer.u64(generation).u64(hardState.currentTerm), hardState.votedFor);
  writer.u8(isQuarantined ? 1 : 0).u8(mayVoteAlone ? 1 : 0).raw(new Uint8Array(5));
  writer.u64(lost?.term ?? 0).u64(lost?.index ?? 0);
  writer.u64(vouched.through).u64(vouched.last.term).u64(vouched.last.index);
  const bytes = new Uint8Array(COPY_DISTANCE);
  bytes.set(sealBlock(writer, SLOT_SIZE));
  return bytes;
}

/** Both copies, to be written at `slotOffset` of the generation. */
export function encodeSlot(owner: Owner, slot: TermSlot): Uint8Array {
  const copy = encodeSlotCopy(owner, slot);
  const bytes = new Uint8Array(SLOT_DISTANCE);
  for (const at of COPIES) bytes.set(copy, at);
  return bytes;
}

/** The whole file as it is created. */
export function encodeNewTermFile(owner: Owner, slot = FIRST_SLOT): Uint8Array {
  const bytes = new Uint8Array(TERM_FILE_SIZE);
  invariant(slot.generation === FIRST_SLOT.generation, "a file begins with the first generation");
  bytes.set(encodeSlot(owner, slot), slotOffset(slot.generation));
  return bytes;
}

/** The highest of these by term, then index; null: none of them says anything. */
export function lostWith(...entries: readonly (EntryId | null)[]): EntryId | null {
  let highest: EntryId | null = null;
  for (const entry of entries) {
    if (entry === null || entry.index === 0) continue;
    const { term, index } = highest ?? { term: 0, index: 0 };
    if (entry.term > term || (entry.term === term && entry.index > index)) highest = entry;
  }
  return highest;
}

/**
 * Makes it durable what this disk has to say of itself, without any change of the hard state. Who ends a quarantine has
 * made a new log, for which nothing vouches.
 */
export function* writeSlot(
  files: { readonly owner: Owner; term: TermSlot },
  change: Partial<Pick<TermSlot, "lost" | "isQuarantined" | "mayVoteAlone" | "vouched">>,
): DiskProcedure<null> {
  const vouched = change.isQuarantined === false ? NOTHING_VOUCHED : files.term.vouched;
  const slot: TermSlot = { ...files.term, vouched, ...change, generation: files.term.generation + 1 };
  const offset = slotOffset(slot.generation);
  yield { type: "write", file: TERM_FILE, offset, bytes: encodeSlot(files.owner, slot) };
  yield { type: "sync", file: TERM_FILE };
  files.term = slot;
  return null;
}

/** Reads the file, makes its newest state durable, and mends a copy from the other one. */
export function* recoverTerm(owner: Owner): DiskProcedure<Judged<FoundTerm>> {
  const found = yield* readTerm(owner);
  if (!found.ok) return found;
  // The copy that is intact is left alone: a crash now takes nothing away.
  const copy = encodeSlotCopy(owner, found.value.slot);
  for (const offset of found.value.missingAt) yield { type: "write", file: TERM_FILE, offset, bytes: copy };
  yield { type: "sync", file: TERM_FILE };
  return found;
}

/** The same, and nothing is mended. */
export function* readTerm(owner: Owner): DiskProcedure<Judged<FoundTerm>> {
  const { size } = resultOf(yield { type: "open", file: TERM_FILE, create: false }, "open");
  if (size === null) return corrupt(TERM_FILE, 0, "missing, although the identity names a cluster");
  const window = new FileWindow(TERM_FILE, Math.min(size, TERM_FILE_SIZE), TERM_FILE_SIZE);
  const bytes = yield* window.take(0, TERM_FILE_SIZE);
  return decodeTermFile(bytes, owner, (offset) => window.unreadableIn(offset, offset + SLOT_SIZE) === null);
}

/** What the bytes of the whole file say. @param isReadable whether the copy at an offset could be read */
export function decodeTermFile(
  bytes: Uint8Array, owner: Owner, isReadable: (offset: number) => boolean = () => true,
): Judged<FoundTerm> {
  const slots = [0, SLOT_DISTANCE].map((slotAt) => {
    return COPIES.map((copyAt) => decodeCopy(bytes, slotAt + copyAt, owner, isReadable));
  });
  // Another version or another owner is no damage: an intact copy says so.
  for (const { judged } of slots.flat()) {
    if (judged !== null && !judged.ok && judged.fault.type !== "corrupt") return judged;
  }
  const [even, odd] = slots.map((copies) => newestOf(copies)) as [TermSlot | null, TermSlot | null];
  if (even === null && odd === null) {
    const details = slots.flat().map(({ judged }) => (judged === null ? "blank" : detailOf(judged)));
    return corrupt(TERM_FILE, 0, `both slots are damaged (${details.join("; ")})`);
  }
  const slot = odd === null || (even !== null && even.generation > odd.generation) ? (even as TermSlot) : odd;
  const older = slot === odd ? even : odd;
  const fault = judgeOlder(slot, older, slots[slot === odd ? 0 : 1] as Copy[]);
  if (fault !== null) return fault;
  return { ok: true, value: foundOf(slot, slots[slot.generation % 2] as Copy[]) };
}

/** A copy of a slot as it was found. */
interface Copy {
  readonly offset: number;
  /** null: nothing was ever written there. */
  readonly judged: Judged<TermSlot> | null;
  readonly isReadable: boolean;
}

function decodeCopy(
  file: Uint8Array, offset: number, owner: Owner, isReadable: (offset: number) => boolean,
): Copy {
  const bytes = file.subarray(offset, offset + SLOT_SIZE);
  // The file is made as large as it stays: what it lacks was there.
  if (bytes.length < SLOT_SIZE || !isReadable(offset)) {
    return { offset, judged: corrupt(TERM_FILE, offset, "cannot be read"), isReadable: false };
  }
  const isBlank = bytes.every((byte) => byte === 0);
  return { offset, judged: isBlank ? null : judgeCopy(bytes, offset, owner), isReadable: true };
}

function judgeCopy(bytes: Uint8Array, offset: number, owner: Owner): Judged<TermSlot> {
  const place = placeOf(offset);
  const opened = openBlock(place, bytes);
  if (!opened.ok) return opened;
  const reader = opened.value;
  const foreign = judgeOwner(place, reader, owner);
  if (foreign !== null) return { ok: false, fault: foreign };
  const generation = reader.u64();
  const currentTerm = reader.u64() as Term;
  const votedFor = readMember(reader);
  const [quarantined, alone] = [reader.u8(), reader.u8()];
  reader.demand(quarantined <= 1 && alone <= 1, "a flag is 0 or 1", 201);
  reader.raw(5);
  const lost: EntryId = { term: reader.u64() as Term, index: reader.u64() as LogIndex };
  reader.demand((lost.term === 0) === (lost.index === 0), "what is lost is an entry of a term", 208);
  const through = reader.u64();
  const last: EntryId = { term: reader.u64() as Term, index: reader.u64() as LogIndex };
  if (reader.fault !== null) return brokenField(place, reader.fault);
  const isInPlace = slotOffset(generation) === offset - (offset % SLOT_DISTANCE);
  if (!isInPlace || generation < 1) return brokenRule(TERM_FILE, offset, "a generation stands in its own slot");
  const flags = { isQuarantined: quarantined === 1, mayVoteAlone: alone === 1 };
  const hardState: HardState = { currentTerm, votedFor };
  const value = { generation, hardState, ...flags, lost: lost.index === 0 ? null : lost, vouched: { through, last } };
  return { ok: true, value };
}

/** A torn write may leave the new state in one copy and the one before in the other. */
function newestOf(copies: readonly Copy[]): TermSlot | null {
  let newest: TermSlot | null = null;
  for (const { judged } of copies) {
    if (judged?.ok && judged.value.generation > (newest?.generation ?? 0)) newest = judged.value;
  }
  return newest;
}

/** null: the other slot, without an intact copy perhaps, contradicts nothing. */
function judgeOlder(slot: TermSlot, older: TermSlot | null, copies: readonly Copy[]): Refused | null {
  const offset = slotOffset(slot.generation);
  if (older !== null) {
    if (slot.generation !== older.generation + 1) {
      return brokenRule(TERM_FILE, 0, "the slots hold consecutive generations");
    }
    const isFalling = slot.hardState.currentTerm < older.hardState.currentTerm;
    return isFalling ? brokenRule(TERM_FILE, offset, "the term never falls") : null;
  }
  const unreadable = copies.find(({ isReadable }) => !isReadable);
  // What was made durable stands in both copies: where one of them is blank nothing was, be the other readable or not.
  const isUnused = copies.some(({ isReadable, judged }) => isReadable && judged === null);
  if (unreadable === undefined || isUnused) return null;
  const detail = `cannot be read, nor is there another copy: generation ${slot.generation + 1} may be lost, and a vote`;
  return corrupt(TERM_FILE, unreadable.offset, detail);
}

function foundOf(slot: TermSlot, copies: readonly Copy[]): FoundTerm {
  const missing = copies.filter(({ judged }) => !judged?.ok || judged.value.generation !== slot.generation);
  const faultsOf = (some: readonly Copy[]): StorageFault[] => {
    return some.flatMap(({ judged }) => (judged !== null && !judged.ok ? [judged.fault] : []));
  };
  const damage = faultsOf(missing.filter(({ isReadable }) => !isReadable));
  const torn = faultsOf(missing.filter(({ isReadable }) => isReadable));
  return { slot, damage, torn, missingAt: missing.map(({ offset }) => offset) };
}

function placeOf(offset: number): BlockPlace {
  return { file: TERM_FILE, offset, magic: "qliteter", version: TERM_VERSION };
}

function detailOf(slot: Judged<TermSlot>): string {
  return !slot.ok && slot.fault.type === "corrupt" ? slot.fault.detail : "intact";
}
