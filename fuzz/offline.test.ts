/**
 * Random damage to a member's directory, looked at by all who read it offline and then by a start: nobody falls over,
 * and what was called sound a start finds nothing wrong with, and all of the database is there.
 */
import { expect, test } from "vitest";
import { Random } from "../core/random.ts";
import { inspectFiles } from "../core/storage/directory-inspection.ts";
import { readMember } from "../core/storage/directory-reading.ts";
import { verifyFiles } from "../core/storage/directory-verification.ts";
import { type OfflineState, readState } from "../core/storage/offline-state.ts";
import { recover } from "../core/storage/recovery.ts";
import { checksumOfPages } from "../core/storage/whole-database.ts";
import { runOn } from "../test/disk-procedure.ts";
import type { MemoryDisk } from "../test/memory-disk.ts";
import { IDENTITY, LIMITS, OfflineFixture, PAGE_SIZE, imageAfter } from "../test/offline-fixture.ts";
import { FUZZ_SCALE, FUZZ_SEED } from "./chance.ts";

const EXAMPLES = 120;
const LAST = 49;

/** null: it cannot be read. */
function stateOn(disk: MemoryDisk): OfflineState | null {
  const member = runOn(disk, readMember());
  if (!member.ok || member.value === null) return null;
  const state = runOn(disk, readState(member.value, member.value.last.index, PAGE_SIZE));
  return state.ok && runOn(disk, state.value.read(0, state.value.numbers.length)).ok ? state.value : null;
}

/** Up to three places of up to three files; returns them as words. */
function damage(disk: MemoryDisk, files: readonly string[], random: Random): string {
  const places: string[] = [];
  for (let count = random.integer(1, 3); count > 0; count--) {
    const file = random.pick(files);
    const size = disk.bytesOf(file)!.length;
    const offset = random.integer(0, size - 1);
    const bytes = random.bytes(Math.min(random.pick([1, 8, 512]), size - offset));
    disk.perform({ type: "write", file, offset, bytes });
    places.push(`${bytes.length} bytes at ${offset} of ${file}`);
  }
  return places.join(", ");
}

test("what is called sound after random damage is sound", () => {
  const disk = new OfflineFixture().write(40).checkpoint().compact(33).write(LAST - 40).close();
  const listed = disk.perform({ type: "list" });
  const files = listed.type === "list" ? listed.files : [];
  const tally = { sound: 0, unsound: 0 };
  for (let example = 0; example < EXAMPLES * FUZZ_SCALE; example++) {
    const random = Random.fromNumber(FUZZ_SEED * 1_000_000 + example);
    const copy = disk.killed();
    const what = `seed ${FUZZ_SEED}, example ${example}: ${damage(copy, files, random)}`;
    runOn(copy, inspectFiles());
    const { isSound } = runOn(copy, verifyFiles())!;
    const state = stateOn(copy);
    tally[isSound ? "sound" : "unsound"]++;
    const started = runOn(copy, recover({ node: IDENTITY.node, limits: LIMITS }));
    if (!isSound) continue;
    expect(state, what).not.toBeNull();
    expect(checksumOfPages(state!), what).toBe(imageAfter(LAST).checksum());
    // Of what stands in `term` one copy may be damaged: a crash leaves that, too.
    const found = started.ok ? started.value.recovered.damage.filter(({ file }) => file !== "term") : [started.fault];
    expect(found, what).toEqual([]);
  }
  expect(tally.sound).toBeGreaterThan(EXAMPLES / 20);
  expect(tally.unsound).toBeGreaterThan(EXAMPLES / 2);
});
