/** A directory's files replaced as a whole: after any crash, and any crash of what goes on, all are old or all new. */
import { expect, test } from "vitest";
import type { DiskProcedure } from "../core/storage/file-window.ts";
import {
  REPLACEMENT_FILE, completeReplacement, decodeReplacement, encodeReplacement, replaceFiles, stageFile,
} from "../core/storage/directory-replacement.ts";
import { Random } from "../core/random.ts";
import { crashesOf, killsOf, runOn } from "./disk-procedure.ts";
import { expectGolden, flippedBits, truncations } from "./golden-file.ts";
import { MemoryDisk } from "./memory-disk.ts";

const OLD = { identity: Uint8Array.of(1), term: Uint8Array.of(1), "log-0000000001": Uint8Array.of(1) };
const NAMES = ["identity", "term", "manifest"];

function* replaced(): DiskProcedure<boolean> {
  for (const name of NAMES) {
    if (!(yield* stageFile({ name, bytes: Uint8Array.of(2, 2), size: 4 }))) return false;
  }
  return yield* replaceFiles(NAMES);
}

/** Each file with its content. */
function contentOf(disk: MemoryDisk): Record<string, string> {
  const listed = disk.perform({ type: "list" });
  const files = listed.type === "list" ? listed.files : [];
  return Object.fromEntries(files.map((file) => [file, disk.bytesOf(file)!.join()]));
}

/** As a start does: what is begun is completed, then leftovers go. */
function started(disk: MemoryDisk): Record<string, string> {
  expect(runOn(disk, completeReplacement()).ok).toBe(true);
  const left = Object.entries(contentOf(disk)).filter(([file]) => !file.endsWith(".new"));
  return Object.fromEntries(left);
}

const BEFORE = { identity: "1", term: "1", "log-0000000001": "1" };
const AFTER = { identity: "2,2,0,0", term: "2,2,0,0", manifest: "2,2,0,0" };

test("a replacement leaves the new files and nothing else", () => {
  const disk = MemoryDisk.of(OLD);
  expect(runOn(disk, replaced())).toBe(true);
  expect(contentOf(disk)).toEqual(AFTER);
  expect(runOn(disk, completeReplacement())).toEqual({ ok: true, value: false });
});

test("whatever a crash leaves of it is the old directory or the new one", () => {
  const found = new Set<string>();
  const images = new Set<string>();
  for (const { image } of crashesOf(MemoryDisk.of(OLD), replaced)) {
    const content = JSON.stringify(contentOf(image));
    if (images.has(content)) continue;
    images.add(content);
    const state = started(image.killed());
    expect([BEFORE, AFTER]).toContainEqual(state);
    found.add(JSON.stringify(state));
    if (image.bytesOf(REPLACEMENT_FILE) === undefined) continue;
    // From the instant on it is the new one, whatever happens to those who complete it.
    for (const again of crashesOf(image, completeReplacement)) expect(started(again.image)).toEqual(AFTER);
  }
  expect(found.size).toBe(2);
  expect(images.size).toBeGreaterThan(30);
});

test("a process that is killed leaves one of both, whatever a crash makes of what it had not synced", () => {
  let kills = 0;
  for (const killed of killsOf(MemoryDisk.of(OLD), replaced)) {
    const random = Random.fromNumber(kills);
    for (const again of killsOf(killed, completeReplacement)) {
      expect([BEFORE, AFTER]).toContainEqual(started(again.randomImage(random)));
    }
    kills++;
  }
  expect(kills).toBeGreaterThan(30);
});

test("without space for it the directory stays what it was", () => {
  for (const refused of ["preallocate", "write", "sync"] as const) {
    const disk = MemoryDisk.of(OLD);
    const failure = { code: "ENOSPC", file: null, message: "no space left" };
    expect(runOn(disk, replaced(), ({ type }) => (type === refused ? failure : null))).toBe(false);
    expect(started(disk)).toEqual(BEFORE);
  }
});

test("a list of which a file is missing is refused by name", () => {
  const disk = MemoryDisk.of({ ...OLD, [REPLACEMENT_FILE]: encodeReplacement(["identity", "manifest"]) });
  expect(runOn(disk, completeReplacement())).toMatchObject({
    ok: false, fault: { type: "corrupt", file: "replacement", detail: expect.stringContaining("manifest.new") },
  });
});

test("a list survives its bytes, which are the golden ones, and no other bytes are one", () => {
  const bytes = encodeReplacement(NAMES);
  expectGolden("storage-replacement", bytes);
  expect(decodeReplacement(bytes)).toEqual({ ok: true, value: NAMES });
  for (const shorter of truncations(bytes)) expect(decodeReplacement(shorter).ok).toBe(false);
  for (const flipped of flippedBits(bytes)) expect(decodeReplacement(flipped.bytes).ok).toBe(false);
});
