/**
 * A member's directory read, verified and recovered from while it does not run: over disks in memory, where every byte
 * can be damaged and every crash be tried.
 */
import { expect, test } from "vitest";
import { Random } from "../core/random.ts";
import { inspectFiles } from "../core/storage/directory-inspection.ts";
import { type OfflineMember, readMember } from "../core/storage/directory-reading.ts";
import { REPLACEMENT_FILE, completeReplacement } from "../core/storage/directory-replacement.ts";
import { verifyFiles } from "../core/storage/directory-verification.ts";
import { type OfflineState, readState } from "../core/storage/offline-state.ts";
import { decidesAlone, judgeQuorumLoss, recoverQuorum } from "../core/storage/quorum-recovery.ts";
import { recover } from "../core/storage/recovery.ts";
import { pageFileName, pageOffset } from "../core/storage/page-file.ts";
import { SEGMENT_HEADER_SIZE, isSegmentFile, sequenceOf } from "../core/storage/segment-file.ts";
import { checksumOfPages } from "../core/storage/whole-database.ts";
import type { ClusterId, Identity, Incarnation } from "../core/types.ts";
import { type Trouble, runOn, runUpTo } from "./disk-procedure.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import { IDENTITY, LIMITS, OfflineFixture, PAGE_SIZE, entryId, imageAfter } from "./offline-fixture.ts";

function memberOn(disk: MemoryDisk): OfflineMember {
  const read = runOn(disk, readMember());
  if (!read.ok || read.value === null) throw new Error(`no member: ${JSON.stringify(read)}`);
  return read.value;
}

function stateOn(disk: MemoryDisk, through?: number): OfflineState {
  const member = memberOn(disk);
  const state = runOn(disk, readState(member, entryId(1, through ?? member.last.index).index, PAGE_SIZE));
  if (!state.ok) throw new Error(JSON.stringify(state.fault));
  return state.value;
}

/** Each page's first byte, which says which entry has written it last. */
function pagesOf(disk: MemoryDisk, through?: number): number[] {
  const state = stateOn(disk, through);
  const pages = runOn(disk, state.read(0, state.numbers.length));
  if (!pages.ok) throw new Error(JSON.stringify(pages.fault));
  return pages.value.map((page) => page[0]!);
}

const expected = (last: number): number[] => imageAfter(last).pages.map((page) => page![0]!);

test("without a snapshot the state is what the entries make of an empty database", () => {
  const disk = new OfflineFixture().write(4).close();
  expect(pagesOf(disk)).toEqual(expected(4));
  expect(pagesOf(disk, 2)).toEqual(expected(2));
  expect(pagesOf(disk, 0)).toEqual(expected(0));
});

test("the log is laid over the snapshot, however far it has been compacted", () => {
  const disk = new OfflineFixture().write(40).checkpoint().compact(40).write(7).close();
  expect(pagesOf(disk)).toEqual(expected(47));
  expect(pagesOf(disk, 40)).toEqual(expected(40));
  expect(checksumOfPages(stateOn(disk))).toBe(imageAfter(47).checksum());
});

test("an inspection names segments, snapshot and last entry", () => {
  const disk = new OfflineFixture().write(40).checkpoint().write(7).close();
  const found = runOn(disk, inspectFiles());
  expect(found.faults).toEqual([]);
  expect(found.last).toEqual(entryId(1, 47));
  expect(found.snapshot).toMatchObject({ entry: entryId(1, 40), pageSize: PAGE_SIZE, pageCount: 6 });
  expect(found.snapshot!.files).toHaveLength(1);
  const log = found.segments.filter(({ use }) => use === "log");
  expect(log.length).toBeGreaterThan(2);
  expect(log.map(({ last }) => last).slice(0, -1)).toEqual(log.slice(1).map(({ first }) => first! - 1));
  expect(log.at(-1)!.last).toBe(47);
  expect(found.segments.some(({ use }) => use === "ahead")).toBe(true);
});

test("a closed directory is sound, and verifying it changes nothing", () => {
  const disk = new OfflineFixture().write(40).checkpoint().write(7).close();
  const found = runOn(disk, verifyFiles(), (operation) => {
    expect(["open", "read", "list"]).toContain(operation.type);
    return null;
  });
  expect(found).toMatchObject({ isSound: true, faults: [], remarks: [] });
  expect(found!.pages).toBe(6);
  expect(found!.records).toBeGreaterThanOrEqual(47);
});

test("a directory without a node's data is not called sound", () => {
  expect(runOn(new OfflineFixture().disk.killed(), verifyFiles())).not.toBeNull();
  expect(runOn(emptyDisk(), verifyFiles())).toBeNull();
});

function emptyDisk(): MemoryDisk {
  const disk = new OfflineFixture().close();
  const listed = disk.perform({ type: "list" });
  if (listed.type === "list") for (const file of listed.files) disk.perform({ type: "unlink", file });
  return disk;
}

/** The parts of each file that mean something, [from, end): all but room that is not used yet. */
function meaningOf(disk: MemoryDisk): { file: string; from: number; end: number }[] {
  const { log, pages } = memberOn(disk);
  const whole = ["identity", "manifest", ...pages.stored!.files.map(({ sequence }) => pageFileName(sequence))];
  const parts = whole.map((file) => ({ file, from: 0, end: disk.bytesOf(file)!.length }));
  for (const [at, segment] of log.segments.entries()) {
    const end = log.segments[at + 1]?.start ?? log.end;
    parts.push({ file: segment.file, from: 0, end: SEGMENT_HEADER_SIZE + end - segment.start });
  }
  return parts;
}

/** The only one. */
function pageFileOf(disk: MemoryDisk): string {
  return pageFileName(memberOn(disk).pages.stored!.files[0]!.sequence);
}

function withFlippedBit(disk: MemoryDisk, file: string, at: number): MemoryDisk {
  const copy = disk.killed();
  const byte = copy.perform({ type: "read", file, offset: at, length: 1 });
  if (byte.type !== "read") throw new Error("a read is answered");
  copy.perform({ type: "write", file, offset: at, bytes: Uint8Array.of(byte.bytes[0]! ^ 0x04) });
  copy.perform({ type: "sync", file });
  return copy;
}

test("a flipped bit anywhere is found, and its file and place are named", () => {
  const disk = new OfflineFixture().write(40).checkpoint().write(7).close();
  let tried = 0;
  for (const { file, from, end } of meaningOf(disk)) {
    for (let at = from; at < end; at += 1237) {
      const { faults, isSound } = runOn(withFlippedBit(disk, file, at), verifyFiles())!;
      const found = faults.map(({ fault }) => fault).find((fault) => fault.file === file);
      expect({ file, at, isSound, found }).toMatchObject({ isSound: false, found: { type: "corrupt" } });
      const offset = found?.type === "corrupt" ? found.offset : -1;
      // What a checksum covers at once: a copy of a block, a page, a record.
      expect({ file, at, offset, isNear: offset <= at && at < offset + 8192 }).toMatchObject({ isNear: true });
      tried += 1;
    }
  }
  expect(tried).toBeGreaterThan(60);
});

test("every damaged page and every damaged record is reported, not only the first", () => {
  const disk = new OfflineFixture().write(40).checkpoint().write(7).close();
  const { log, pages } = memberOn(disk);
  const file = pages.stored!.files[0]!;
  let harmed = disk;
  for (const place of [1, 4]) harmed = withFlippedBit(harmed, pageFileName(file.sequence), pageOffset(file, place));
  const records = [12, 13, 30].map((index) => log.placeOf(log.entries.offsetOf(entryId(1, index).index)));
  // The payload of the first, the headers of the others.
  for (const [at, { segment, offset }] of records.entries()) {
    harmed = withFlippedBit(harmed, segment.file, offset + (at === 0 ? 100 : 8));
  }
  const { faults } = runOn(harmed, verifyFiles())!;
  expect(faults.filter(({ page }) => page !== null).map(({ page }) => page)).toEqual([2, 5]);
  expect(faults.filter(({ index }) => index !== null).map(({ index }) => index)).toEqual([12, 13, 30]);
  for (const { segment, offset } of records.slice(1)) {
    expect(faults.map(({ fault }) => fault)).toContainEqual(expect.objectContaining({ file: segment.file, offset }));
  }
});

test("no crash leaves what is called damage", () => {
  const random = Random.fromNumber(11);
  let images = 0;
  let torn = 0;
  new OfflineFixture((running) => {
    if (random.oneIn(3)) return;
    const image = running.randomImage(random);
    const found = runOn(image, verifyFiles())!;
    expect(found.faults).toEqual([]);
    images += 1;
    if (found.remarks.some((remark) => remark.includes("torn"))) torn += 1;
  }).write(30).checkpoint().compact(20).write(10).close();
  expect(images).toBeGreaterThan(15);
  expect(torn).toBeGreaterThan(0);
});

test("a page file or segment that is missing is reported", () => {
  const disk = new OfflineFixture().write(40).checkpoint().write(7).close();
  const compacted = new OfflineFixture().write(40).checkpoint().compact(40).write(7).close();
  for (const file of [pageFileOf(disk), "log-0000000002", "manifest", "term", "identity"]) {
    // Where the whole log is there, a snapshot need not be.
    const harmed = (file === "manifest" ? compacted : disk).killed();
    harmed.perform({ type: "unlink", file });
    const found = runOn(harmed, verifyFiles())!;
    expect(found.isSound).toBe(false);
    expect(found.faults).toContainEqual(expect.objectContaining({ fault: expect.objectContaining({ file }) }));
  }
});

test("a place that cannot be read is damage of that place", () => {
  const disk = new OfflineFixture().write(40).checkpoint().write(7).close();
  const file = pageFileOf(disk);
  const at = disk.bytesOf(file)!.length - PAGE_SIZE;
  const found = runOn(disk, verifyFiles(), (operation) => {
    const isHit = operation.type === "read" && operation.file === file && operation.offset + operation.length > at;
    return isHit ? { code: "EIO", file, message: "cannot be read" } : null;
  });
  const fault = expect.objectContaining({ file, offset: at });
  expect(found!.faults).toEqual([{ page: 6, index: null, fault }]);
});

test("a file that stands ready to be a segment is read as well: it has to be readable, whatever is in it", () => {
  const fresh = new OfflineFixture().write(40).close();
  const used = new OfflineFixture().write(60).checkpoint().compact(60).write(2).close();
  for (const disk of [fresh, used]) {
    const { log } = memberOn(disk);
    const file = disk.names.findLast((name) => isSegmentFile(name) && sequenceOf(name)! > log.current.sequence)!;
    const at = SEGMENT_HEADER_SIZE + 4096;
    const isBlank = disk.bytesOf(file)!.every((byte) => byte === 0);
    expect(isBlank).toBe(disk === fresh);
    expect(runOn(disk, verifyFiles())).toMatchObject({ isSound: true, remarks: [] });
    const hidden = disk.killed().makeUnreadable(file, at);
    const fault = { type: "corrupt", file, offset: at, detail: "cannot be read" };
    const found = runOn(hidden, verifyFiles(), (operation) => hidden.failureOf(operation))!;
    expect(found).toMatchObject({ isSound: false, faults: [{ fault, index: null, page: null }] });
    const { isSound, remarks } = runOn(withFlippedBit(disk, file, at), verifyFiles())!;
    expect({ isSound, remarks: remarks.length }).toEqual({ isSound: true, remarks: isBlank ? 1 : 0 });
  }
});

const NEW_IDENTITY: Identity = {
  node: IDENTITY.node,
  incarnation: "dd".repeat(8) as Incarnation,
  cluster: {
    id: "e1".repeat(16) as ClusterId, founders: [{ node: IDENTITY.node, incarnation: "dd".repeat(8) as Incarnation }],
  },
};

const CLUSTER = { identity: NEW_IDENTITY, pageSize: PAGE_SIZE, limits: LIMITS };

test("a recovery from quorum loss keeps all that the log has, under a new cluster", () => {
  const disk = new OfflineFixture().write(12).checkpoint().write(7).close();
  const member = memberOn(disk);
  expect(decidesAlone(member)).toBe(false);
  expect(judgeQuorumLoss(member)).toMatchObject({
    last: entryId(1, 19), committed: entryId(1, 12), uncertain: { from: 13, through: 19 }, lost: null, damage: [],
    leftOut: [{ id: "b@" + "bb".repeat(8) }, { id: "c@" + "cc".repeat(8) }],
  });
  expect(runOn(disk, recoverQuorum(member, CLUSTER))).toEqual({ ok: true, value: true });
  const after = memberOn(disk);
  expect(after.identity).toEqual(NEW_IDENTITY);
  expect(after.last).toEqual(entryId(1, 19));
  expect(after.term.hardState).toEqual({ currentTerm: 1, votedFor: null });
  expect(after.configuration.members).toMatchObject([{ id: "a@" + "dd".repeat(8), role: "voter" }]);
  expect(pagesOf(disk)).toEqual(expected(19));
  expect(decidesAlone(after)).toBe(true);
  expect(runOn(disk, verifyFiles())).toMatchObject({ isSound: true, remarks: [] });
  const started = runOn(disk, recover({ node: IDENTITY.node, limits: LIMITS }));
  const recovered = { snapshot: { entry: entryId(1, 19) }, lost: null };
  expect(started).toMatchObject({ ok: true, value: { recovered } });
});

test("a crash leaves the old member with all its entries, or the new cluster with their effect", () => {
  const disk = new OfflineFixture().write(12).checkpoint().write(3).close();
  const random = Random.fromNumber(4);
  const found = new Map<string, number>();
  for (let after = 0; ; after++) {
    const running = disk.killed();
    if (!runUpTo(running, recoverQuorum(memberOn(running), CLUSTER), after)) break;
    for (const image of [running.killed(), running.randomImage(random)]) {
      const started = runOn(image, recover({ node: IDENTITY.node, limits: LIMITS }));
      if (!started.ok) throw new Error(JSON.stringify(started.fault));
      const { identity, log, snapshot, damage, lost } = started.value.recovered;
      const cluster = identity!.cluster!.id;
      found.set(cluster, (found.get(cluster) ?? 0) + 1);
      expect({ lost, damage, last: log.last }).toEqual({ lost: null, damage: [], last: entryId(1, 15) });
      expect(snapshot!.entry.index).toBe(cluster === NEW_IDENTITY.cluster!.id ? 15 : 12);
      expect(pagesOf(image)).toEqual(expected(15));
    }
  }
  expect(found.get(IDENTITY.cluster!.id)).toBeGreaterThan(15);
  expect(found.get(NEW_IDENTITY.cluster!.id)).toBeGreaterThan(5);
});

test("without space nothing has changed", () => {
  const disk = new OfflineFixture().write(12).checkpoint().write(3).close();
  const before = runOn(disk, inspectFiles());
  for (const refused of ["write", "preallocate"] as const) {
    const failure = { code: "ENOSPC", file: null, message: "no space left" };
    const trouble: Trouble = ({ type }) => (type === refused ? failure : null);
    const recovered = runOn(disk, recoverQuorum(memberOn(disk), CLUSTER), trouble);
    expect(recovered).toEqual({ ok: true, value: false });
    expect(runOn(disk, inspectFiles())).toEqual(before);
  }
});

test("nothing is recovered from damaged pages, and nothing is changed", () => {
  const disk = new OfflineFixture().write(12).checkpoint().write(3).close();
  const [file] = memberOn(disk).pages.stored!.files;
  // A page that no entry of the log has written since.
  const harmed = withFlippedBit(disk, pageFileName(file!.sequence), pageOffset(file!, 2) + 9);
  const before = runOn(harmed, inspectFiles());
  const recovered = runOn(harmed, recoverQuorum(memberOn(harmed), CLUSTER));
  expect(recovered).toMatchObject({ ok: false, fault: { file: pageFileName(file!.sequence) } });
  expect(runOn(harmed, inspectFiles())).toEqual(before);
});

test("a log with a hole says what it has lost, and is recovered up to there", () => {
  const disk = new OfflineFixture().write(9).close();
  const { log } = memberOn(disk);
  const { segment, offset } = log.placeOf(log.entries.offsetOf(entryId(1, 6).index));
  const harmed = withFlippedBit(disk, segment.file, offset + 70);
  const member = memberOn(harmed);
  const loss = { last: entryId(1, 5), lost: { term: 1 }, uncertain: { from: 1, through: 5 } };
  expect(judgeQuorumLoss(member)).toMatchObject(loss);
  expect(judgeQuorumLoss(member).lost!.index).toBeGreaterThanOrEqual(9);
  expect(runOn(harmed, recoverQuorum(member, CLUSTER))).toEqual({ ok: true, value: true });
  expect(pagesOf(harmed)).toEqual(expected(5));
  expect(decidesAlone(memberOn(harmed))).toBe(true);
});

test("of a quarantined directory nothing is made, and it is not called sound", () => {
  const disk = new OfflineFixture().write(9).checkpoint().write(3).quarantine();
  const fault = expect.objectContaining({ file: "term", detail: expect.stringContaining("of no use") });
  expect(runOn(disk, readMember())).toEqual({ ok: false, fault });
  expect(runOn(disk, verifyFiles())!.faults).toEqual([{ fault, index: null, page: null }]);
  expect(runOn(disk, inspectFiles()).term).toMatchObject({ isQuarantined: true, lost: entryId(1, 12) });
});

test("a replacement that was interrupted is reported, and relied on by nobody before it is completed", () => {
  const disk = new OfflineFixture().write(9).close();
  let interrupted = disk;
  for (let count = 0; interrupted.bytesOf(REPLACEMENT_FILE) === undefined; count++) {
    interrupted = disk.killed();
    runUpTo(interrupted, recoverQuorum(memberOn(interrupted), CLUSTER), count);
  }
  const fault = expect.objectContaining({ file: REPLACEMENT_FILE });
  expect(runOn(interrupted, readMember())).toEqual({ ok: false, fault });
  expect(runOn(interrupted, verifyFiles())!.faults).toContainEqual({ fault, index: null, page: null });
  expect(runOn(interrupted, completeReplacement())).toEqual({ ok: true, value: true });
  expect(memberOn(interrupted).identity).toEqual(NEW_IDENTITY);
  expect(pagesOf(interrupted)).toEqual(expected(9));
});

test("what the log has lost remains a remark until it is back", () => {
  const disk = new OfflineFixture().write(9).close();
  const { log } = memberOn(disk);
  const { segment, offset } = log.placeOf(log.entries.offsetOf(entryId(1, 6).index));
  const harmed = withFlippedBit(disk, segment.file, offset + 70);
  const started = runOn(harmed, recover({ node: IDENTITY.node, limits: LIMITS }));
  expect(started).toMatchObject({ ok: true, value: { recovered: { lost: { term: 1 } } } });
  const found = runOn(harmed, verifyFiles())!;
  expect(found.faults).toEqual([]);
  expect(found.remarks).toEqual([expect.stringContaining("this disk has lost some of them")]);
});
