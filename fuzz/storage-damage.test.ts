/**
 * Random damage to a random log: bits flipped, a block that cannot be read, one that is overwritten (with garbage,
 * zeros or a block from elsewhere: a misdirected write), a file cut short or gone. What is found is what was there, or
 * something that was there before, and then the loss is known, at least as far as anything was acknowledged.
 */
import { expect, test } from "vitest";
import fc from "fast-check";
import { Random } from "../core/random.ts";
import { lostWith } from "../core/storage/term-file.ts";
import { MemoryDisk } from "../test/memory-disk.ts";
import {
  OF_THREE, OPTIONS, type StorageRun, bootstrapped, entry, hardState, id, order, restarted,
} from "../test/storage-run.ts";
import { storeSnapshot } from "../test/storage-snapshots.ts";
import { type LogWords, logOf } from "../test/storage-twin.ts";
import { examples } from "./chance.ts";

type Damage = "flip" | "unreadable" | "garbage" | "zeros" | "misdirected" | "cut" | "gone";

const DAMAGES: readonly Damage[] = ["flip", "unreadable", "garbage", "zeros", "misdirected", "cut", "gone"];
const BLOCK = 4096;

/** A member of three that has written a log of several segments, with truncations, and closed it. */
function written(random: Random): StorageRun {
  const run = bootstrapped(OPTIONS, OF_THREE);
  let [last, ticket, term, stored] = [0, 0, 1, 0];
  for (const orders = random.integer(1, 14); ticket < orders; ) {
    const isCut = last > stored && random.oneIn(5);
    if (isCut) [last, term] = [random.integer(stored, last - 1), term + 1];
    const truncateTo = isCut ? last : null;
    const entries = Array.from({ length: random.integer(1, 3) }, (_, at) => {
      return entry(term, last + 1 + at, random.bytes(random.integer(0, 1400)));
    });
    const state = ticket === 0 || isCut ? { hardState: hardState(term, null) } : {};
    run.persist(order(++ticket, { ...state, entries, ...(truncateTo === null ? {} : { truncateTo }) })).settle();
    last += entries.length;
    if (!random.oneIn(8)) continue;
    storeSnapshot(run, id(term, last), ["a", "b", "c"]);
    run.settle();
    stored = last;
    if (random.oneIn(2)) run.compact(term, last).settle();
  }
  return run.close();
}

/** Does it to one place of one segment; the file. */
function damage(files: Record<string, Uint8Array>, kind: Damage, random: Random): { disk: MemoryDisk; file: string } {
  const segments = Object.keys(files).filter((name) => name.startsWith("log-"));
  const file = random.pick(segments);
  const bytes = files[file]!.slice();
  const block = random.integer(0, Math.floor((bytes.length - 1) / BLOCK)) * BLOCK;
  const other = files[random.pick(segments)]!;
  if (kind === "unreadable") return { disk: MemoryDisk.of(files).makeUnreadable(file, block), file };
  if (kind === "gone") {
    const { [file]: _, ...others } = files;
    return { disk: MemoryDisk.of(others), file };
  }
  if (kind === "flip") {
    const at = Math.min(bytes.length - 1, block + random.integer(0, BLOCK - 1));
    bytes[at] = bytes[at]! ^ (1 << random.integer(0, 7));
  }
  const size = Math.min(BLOCK, bytes.length - block);
  if (kind === "garbage") bytes.set(random.bytes(size), block);
  if (kind === "zeros") bytes.fill(0, block, block + size);
  if (kind === "misdirected") bytes.set(other.subarray(BLOCK * 2, BLOCK * 2 + size), block);
  const end = kind === "cut" ? random.integer(0, bytes.length - 1) : bytes.length;
  return { disk: MemoryDisk.of({ ...files, [file]: bytes.subarray(0, end) }), file };
}

test("whatever is damaged, nothing that was acknowledged is gone without being known as lost", () => {
  const tally = { whole: 0, cut: 0 };
  const property = fc.property(fc.constantFrom(...DAMAGES), fc.nat(), (kind, seed) => {
    const random = Random.fromNumber(seed);
    const run = written(random);
    const files = Object.fromEntries(run.disk.names.map((name) => [name, run.disk.bytesOf(name)!]));
    const before = restarted(MemoryDisk.of(files));
    const [words, { base, last }] = [logOf(before), before.recovered.log];
    const { disk, file } = damage(files, kind, random);
    const found = restarted(disk);
    expect(found.fault, `${kind} of ${file}`).toBeNull();
    const { recovered } = found;
    const kept: LogWords = logOf(found);
    // What was cut from the log may be in it again, if the truncation is damaged: then what came after that is lost.
    const isShort = lostWith(recovered.log.last, last) !== recovered.log.last;
    if (isShort) {
      expect(lostWith(last, recovered.lost), "what is missing is known as lost").toEqual(recovered.lost);
      expect(recovered.damage.length, "and why").toBeGreaterThan(0);
    } else {
      expect(kept, "all there was").toEqual(words.slice(recovered.log.base.index - base.index));
    }
    tally[isShort ? "cut" : "whole"]++;
    // What was found stays so.
    const again = restarted(found.disk);
    expect(again.recovered).toMatchObject({ log: recovered.log, lost: recovered.lost });
  });
  fc.assert(property, examples(100));
  expect(tally.whole).toBeGreaterThan(10);
  expect(tally.cut).toBeGreaterThan(10);
});
