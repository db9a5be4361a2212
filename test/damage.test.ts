/**
 * A single node whose files are cut short or have bits flipped while it is down: it has all that was acknowledged, or
 * it does not start, names the file and the place, and changes nothing. Nobody could give back what it has lost.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeEvent } from "../cli/event-text.ts";
import { OpenError, type OpenOptions } from "../cli/index.ts";
import { openTuned } from "../cli/open.ts";
import { idsIn, insert, SCHEMA } from "./child-node.ts";
import { damage, type DamageKind, filesIn } from "./file-damage.ts";
import { closing, temporaryDirectory, until } from "./nodes.ts";
import { roundsOf, seededCase } from "./seed.ts";
import { SMALL_LIMITS } from "./small-limits.ts";

const ROWS = 150;
const IDS = Array.from({ length: ROWS }, (_, at) => at + 1);
/** Of a node that was closed in good order. It has several segments, files of pages, and a reserve. */
const template = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-template-"));

beforeAll(async () => {
  const node = await openTuned({ directory: template }, SMALL_LIMITS);
  await node.database().exec(SCHEMA);
  for (const id of IDS) await insert(node.database(), id);
  await node.close();
}, 30_000);

afterAll(() => fs.rmSync(template, { recursive: true }));

/** What opening comes to: null, with all rows there and whole, or the refusal. */
async function openDamaged(directory: string): Promise<OpenError | null> {
  let node;
  try {
    node = await openTuned({ directory }, SMALL_LIMITS);
  } catch (error) {
    if (error instanceof OpenError) return error;
    throw error;
  }
  closing.push(() => node.close());
  expect(await idsIn(node.database())).toEqual(IDS);
  expect(await node.database().all("PRAGMA integrity_check")).toEqual([{ integrity_check: "ok" }]);
  await insert(node.database(), ROWS + 1);
  await node.close();
  return null;
}

test("the directory has a file of every kind", () => {
  const kinds = new Set(filesIn(template).map((name) => name.replace(/-\d+$/, "")));
  expect([...kinds].sort()).toEqual(["identity", "log", "manifest", "pages", "reserve", "term"]);
  expect(filesIn(template).filter((name) => name.startsWith("pages-")).length).toBeGreaterThan(1);
});

const TWICE = ["identity", "term", "manifest"];
const SINGLE_KINDS: readonly DamageKind[] = ["cut", "bit", "bits", "removed"];

test.each(SINGLE_KINDS)("a file %s is mended, or refused by name and place", async (kind) => {
  const outcomes = { mended: 0, refused: 0 };
  for (let round = 0; round < roundsOf(12); round++) {
    const { random, repeat } = seededCase("test/damage.test.ts", round + KIND_SEED[kind]);
    const directory = temporaryDirectory();
    fs.cpSync(template, directory, { recursive: true });
    const files = filesIn(directory);
    const file = files[round % files.length]!;
    const what = `${damage(directory, file, kind, random)}; ${repeat}`;
    const before = contentsOf(directory);
    const refusal = await openDamaged(directory).catch((error: unknown) => {
      throw new Error(what, { cause: error });
    });
    if (refusal === null) {
      outcomes.mended++;
      continue;
    }
    outcomes.refused++;
    // What stands there twice bears a wrong bit.
    expect(kind === "bit" && TWICE.includes(file), what).toBe(false);
    expect(refusal.code, what).toBe("CorruptData");
    // What is missing is noticed by what is there.
    const named = kind === "removed" ? "[a-z]+(-\\d+)?" : file;
    expect(refusal.message, what).toMatch(new RegExp(`${directory}/${named} is damaged at offset \\d+: `));
    // Pages are judged when they are read into memory, by a node that has begun its term.
    const mayChange = file.startsWith("pages-") ? ["term", ...logs(directory)] : [];
    const changed = [...contentsOf(directory)].filter(([name, bytes]) => !before.get(name)?.equals(bytes));
    expect(changed.map(([name]) => name).filter((name) => !mayChange.includes(name)), what).toEqual([]);
    // Given back what it had, it has all of it.
    fs.copyFileSync(path.join(template, file), path.join(directory, file));
    expect(await openDamaged(directory), what).toBeNull();
  }
  expect(outcomes.mended + outcomes.refused).toBeGreaterThan(0);
}, 60_000 + 10_000 * roundsOf(0));

const KIND_SEED: Readonly<Record<DamageKind, number>> = { cut: 0, bit: 1000, bits: 2000, block: 3000, removed: 4000 };

function logs(directory: string): string[] {
  return filesIn(directory).filter((name) => name.startsWith("log-"));
}

function contentsOf(directory: string): Map<string, Buffer> {
  return new Map(filesIn(directory).map((name) => [name, fs.readFileSync(path.join(directory, name))]));
}

test.each(["log-", "pages-"])("what rots in a file %s while a lone node runs is found and mended", async (kind) => {
  const directory = temporaryDirectory();
  fs.cpSync(template, directory, { recursive: true });
  const found: string[] = [];
  const onEvent: OpenOptions["onEvent"] = (event) => {
    if (event.type === "DamageFound") found.push(describeEvent(event, "node", directory));
  };
  const node = await openTuned({ directory, onEvent }, SMALL_LIMITS);
  closing.push(() => node.close());
  // The oldest of its kind: of a log, one that is not being written.
  const file = filesIn(directory).find((name) => name.startsWith(kind))!;
  const name = path.join(directory, file);
  const descriptor = fs.openSync(name, "r+");
  fs.writeSync(descriptor, Uint8Array.of(1, 2, 3), 0, 3, Math.floor(fs.fstatSync(descriptor).size / 2));
  fs.closeSync(descriptor);
  await until(() => found.length > 0, `the damage of ${file} is found`);
  expect(found[0]).toMatch(new RegExp(`^DAMAGED: ${name} is damaged at offset \\d+: `));
  await until(() => !fs.existsSync(name), `${file} is given up`);
  expect(await idsIn(node.database())).toEqual(IDS);
  await node.close();
  expect(await openDamaged(directory)).toBeNull();
});
