/** The real disk and the real lock: the shared contract, failures of the system, a crash of a process that writes. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import type { DiskAnswer, DiskOperation } from "../core/storage/disk.ts";
import type { Ticket } from "../core/types.ts";
import { Disk } from "../io/disk.ts";
import { lockDirectory } from "../io/lock.ts";
import { RECORD_SIZE, writtenRecord } from "./disk-writer.ts";
import { MAX_IDLE_DESCRIPTORS } from "../io/descriptors.ts";
import { makeDirectory } from "../io/directory.ts";
import { type DiskTwin, testDiskContract } from "./contract-disk.ts";
import { hasSmallDisks, SmallDisk } from "./small-disk.ts";

function temporaryDirectory(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-disk-"));
}

function realTwin(directory = temporaryDirectory()): DiskTwin {
  let answered: (answer: DiskAnswer) => void = () => {};
  let disk = new Disk(directory, (answer) => answered(answer));
  return {
    perform: (orders) =>
      new Promise((resolve) => {
        const answers: DiskAnswer[] = [];
        answered = (answer) => {
          answers.push(answer);
          if (answers.length === orders.length) resolve(answers);
        };
        for (const order of orders) disk.perform(order);
      }),
    restart: async () => {
      await disk.close();
      disk = new Disk(directory, (answer) => answered(answer));
    },
    close: async () => {
      await disk.close();
      fs.rmSync(directory, { recursive: true });
    },
  };
}

testDiskContract("real disk", async () => realTwin());

/** /dev/full takes nothing: a disk without space. */
const linuxTest = test.runIf(process.platform === "linux");
const testWithSmallDisk = test.runIf(hasSmallDisks);

const number = (operations: DiskOperation[]): { ticket: Ticket; operation: DiskOperation }[] =>
  operations.map((operation, at) => ({ ticket: (at + 1) as Ticket, operation }));

const failureCodes = (answers: DiskAnswer[]): (string | null)[] =>
  answers.map((answer) => (answer.type === "DiskFailed" ? answer.failure.code : null));

linuxTest("after a failed write nothing on that file succeeds, and others do not notice", async () => {
  const directory = temporaryDirectory();
  fs.symlinkSync("/dev/full", path.join(directory, "full"));
  const twin = realTwin(directory);
  const bytes = Uint8Array.of(1);
  const answers = await twin.perform(number([
    { type: "open", file: "full", create: false },
    { type: "open", file: "other", create: true },
    { type: "write", file: "full", offset: 0, bytes },
    { type: "write", file: "full", offset: 1, bytes: new Uint8Array(0) },
    { type: "sync", file: "full" },
    { type: "write", file: "other", offset: 0, bytes },
  ]));
  expect(failureCodes(answers)).toEqual([null, null, "ENOSPC", "ENOSPC", "ENOSPC", null]);
  expect(answers[2]).toMatchObject({ failure: { file: "full" } });
  await twin.close();
});

test("a failed sync is the file's last word", async () => {
  const directory = temporaryDirectory();
  const twin = realTwin(directory);
  // A pipe cannot be synced: EINVAL. (Opened for both directions it does not wait for a reader.)
  await new Promise((resolve) => spawn("mkfifo", [path.join(directory, "pipe")]).on("exit", resolve));
  const answers = await twin.perform(number([
    { type: "open", file: "pipe", create: false }, { type: "sync", file: "pipe" }, { type: "sync", file: "pipe" },
    { type: "open", file: "pipe", create: false },
  ]));
  expect(failureCodes(answers)).toEqual([null, "EINVAL", "EINVAL", "EINVAL"]);
  await twin.close();
});

test("what is removed under one name, or replaced, is untouched under another", async () => {
  const directory = temporaryDirectory();
  const twin = realTwin(directory);
  const bytes = new Uint8Array(10 * 1024 * 1024).fill(7);
  for (const removal of [{ type: "unlink", file: "one" }, { type: "rename", from: "two", to: "one" }] as const) {
    await twin.perform(number([
      { type: "open", file: "one", create: true }, { type: "write", file: "one", offset: 0, bytes },
      { type: "open", file: "two", create: true },
    ]));
    fs.linkSync(path.join(directory, "one"), path.join(directory, "kept"));
    await twin.perform(number([removal]));
    expect(Buffer.compare(fs.readFileSync(path.join(directory, "kept")), bytes)).toBe(0);
    fs.rmSync(path.join(directory, "kept"));
  }
  await twin.close();
});

linuxTest("a preallocation that fails may be asked for again, and does not end the file", async () => {
  const directory = temporaryDirectory();
  fs.symlinkSync("/dev/full", path.join(directory, "full"));
  const twin = realTwin(directory);
  const answers = await twin.perform(number([
    { type: "preallocate", file: "full", size: 4096 }, { type: "preallocate", file: "full", size: 4096 },
    { type: "read", file: "full", offset: 0, length: 1 },
  ]));
  expect(failureCodes(answers)).toEqual(["ENOSPC", "ENOSPC", null]);
  await twin.close();
});

linuxTest("what could not be written may be removed, is not renamed, and its name is free again", async () => {
  const directory = temporaryDirectory();
  for (const name of ["a.new", "b.new"]) fs.symlinkSync("/dev/full", path.join(directory, name));
  const twin = realTwin(directory);
  const bytes = Uint8Array.of(1);
  const answers = await twin.perform(number([
    { type: "write", file: "a.new", offset: 0, bytes }, { type: "unlink", file: "a.new" },
    { type: "open", file: "a.new", create: true }, { type: "write", file: "a.new", offset: 0, bytes },
    { type: "sync", file: "a.new" }, { type: "rename", from: "a.new", to: "a" },
  ]));
  expect(failureCodes(answers)).toEqual(["ENOSPC", null, null, null, null, null]);
  const others = await twin.perform(number([
    { type: "write", file: "b.new", offset: 0, bytes }, { type: "rename", from: "b.new", to: "b" },
    { type: "rename", from: "a", to: "b.new" }, { type: "read", file: "b.new", offset: 0, length: 9 },
  ]));
  expect(failureCodes(others)).toEqual(["ENOSPC", "ENOSPC", null, null]);
  expect(fs.readdirSync(directory)).toEqual(["b.new"]);
  await twin.close();
});

testWithSmallDisk("space that is not there is not taken in part, and taken whole once it is there", async () => {
  const small = new SmallDisk(256);
  const directory = path.join(small.directory, "data");
  fs.mkdirSync(directory);
  const twin = realTwin(directory);
  try {
    await twin.perform(number([
      { type: "open", file: "log.new", create: true },
      { type: "write", file: "log.new", offset: 0, bytes: Uint8Array.of(1, 2, 3) },
    ]));
    const free = small.freeBytes;
    const attempt: DiskOperation = { type: "preallocate", file: "log.new", size: 400_000 };
    const answers = await twin.perform(number([attempt, attempt, { type: "open", file: "log.new", create: false }]));
    expect(failureCodes(answers)).toEqual(["ENOSPC", "ENOSPC", null]);
    expect(answers[2]).toMatchObject({ result: { size: 3 } });
    expect(small.freeBytes).toBe(free);
    small.grow(256);
    const later = await twin.perform(number([attempt, { type: "read", file: "log.new", offset: 0, length: 5 }]));
    expect(failureCodes(later)).toEqual([null, null]);
    expect(later[1]).toMatchObject({ result: { bytes: Uint8Array.of(1, 2, 3, 0, 0) } });
    expect(fs.statSync(path.join(directory, "log.new")).size).toBe(400_000);
    small.fill();
    expect(failureCodes(await twin.perform(number([
      { type: "write", file: "log.new", offset: 100_000, bytes: new Uint8Array(300_000) },
      { type: "sync", file: "log.new" },
    ])))).toEqual([null, null]);
  } finally {
    await twin.close();
    small.remove();
  }
});

testWithSmallDisk("a disk that became read-only says so by the system's name for it", async () => {
  const small = new SmallDisk(64);
  const directory = path.join(small.directory, "data");
  fs.mkdirSync(directory);
  const twin = realTwin(directory);
  try {
    await twin.perform(number([{ type: "open", file: "log", create: true }]));
    await twin.restart();
    small.refuseWrites();
    const answers = await twin.perform(number([
      { type: "open", file: "log", create: false }, { type: "open", file: "new", create: true },
      { type: "rename", from: "log", to: "old" }, { type: "unlink", file: "log" },
    ]));
    expect(failureCodes(answers)).toEqual(["EROFS", "EROFS", "EROFS", "EROFS"]);
  } finally {
    await twin.close().catch(() => {});
    small.remove();
  }
});

linuxTest("files that are removed or replaced do not stay open, and of idle ones only so many do", async () => {
  const directory = temporaryDirectory();
  const twin = realTwin(directory);
  const openNames = (): string[] => fs.readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      return [fs.readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return [];
    }
  }).filter((name) => name.startsWith(directory));
  const names = Array.from({ length: 3 * MAX_IDLE_DESCRIPTORS }, (_, at) => `log-${at}`);
  const bytes = Uint8Array.of(1);
  await twin.perform(number(names.flatMap((file): DiskOperation[] => [
    { type: "open", file, create: true }, { type: "write", file, offset: 0, bytes },
  ])));
  // What was not synced stays open: its failure would be told to nobody else.
  expect(openNames()).toHaveLength(names.length);
  await twin.perform(number(names.map((file) => ({ type: "sync", file }))));
  await twin.perform(number([{ type: "open", file: "log-new", create: true }]));
  expect(openNames()).toHaveLength(MAX_IDLE_DESCRIPTORS);
  await twin.perform(number([
    { type: "rename", from: "log-new", to: names.at(-1)! },
    ...names.slice(0, -1).map((file): DiskOperation => ({ type: "unlink", file })),
  ]));
  expect(openNames()).toEqual([path.join(directory, names.at(-1)!)]);
  await twin.close();
});

test("a directory's name is synced, be it made now or by a process that was killed before it could", async () => {
  const above = temporaryDirectory();
  const directory = path.join(above, "x", "y");
  const { fsyncSync } = fs;
  let synced: number[] = [];
  fs.fsyncSync = (descriptor) => {
    synced.push(fs.fstatSync(descriptor).ino);
    fsyncSync(descriptor);
  };
  try {
    for (const attempt of ["made", "there already"]) {
      synced = [];
      makeDirectory(directory);
      const names = [above, path.join(above, "x")].map((name) => fs.statSync(name).ino);
      expect([attempt, names.filter((name) => !synced.includes(name))]).toEqual([attempt, []]);
    }
  } finally {
    fs.fsyncSync = fsyncSync;
  }
  fs.rmSync(above, { recursive: true });
});

test("thousands of writes behind one sync are answered in order", async () => {
  const twin = realTwin();
  const operations: DiskOperation[] = [{ type: "open", file: "log", create: true }, { type: "sync", file: "log" }];
  for (let offset = 0; offset < 20_000; offset++) {
    operations.push({ type: "write", file: "log", offset, bytes: Uint8Array.of(offset % 251) });
  }
  const answers = await twin.perform(number(operations));
  expect(answers.every((answer, at) => answer.type === "DiskDone" && answer.ticket === at + 1)).toBe(true);
  await twin.close();
});

test("a process killed while it writes leaves every record that it reported as synced, in order", async () => {
  const directory = temporaryDirectory();
  const writer = startWriter(directory);
  const last = await writer.reported(200);
  const reported = Math.max(last, await writer.kill());
  const log = fs.readFileSync(path.join(directory, "log"));
  const numbers: number[] = [];
  for (let at = 0; at + RECORD_SIZE <= log.length && log.readUInt32LE(at) !== 0; at += RECORD_SIZE) {
    expect(log.subarray(at, at + RECORD_SIZE)).toEqual(Buffer.from(writtenRecord(log.readUInt32LE(at))));
    numbers.push(log.readUInt32LE(at));
  }
  expect(numbers).toEqual(numbers.map((_, at) => at + 1));
  expect(numbers.length).toBeGreaterThanOrEqual(reported);
  fs.rmSync(directory, { recursive: true });
});

test("a directory has one holder, who is named to others, and is free once he has died or let go", async () => {
  const directory = temporaryDirectory();
  const writer = startWriter(directory);
  await writer.reported(1);
  // Another path to the same directory is no way around the lock.
  fs.symlinkSync(directory, `${directory}-link`);
  for (const name of [directory, `${directory}-link`]) {
    expect(await lockDirectory(name)).toEqual({ ok: false, holder: writer.processId });
  }
  await writer.kill();
  const lock = await lockDirectory(directory);
  expect(lock.ok).toBe(true);
  expect(await lockDirectory(directory)).toEqual({ ok: false, holder: process.pid });
  if (lock.ok) await lock.lock.release();
  const again = await lockDirectory(`${directory}-link`);
  expect(again.ok).toBe(true);
  if (again.ok) await again.lock.release();
  fs.rmSync(`${directory}-link`);
  fs.rmSync(directory, { recursive: true });
});

interface Writer {
  readonly processId: number;
  /** Resolves to the last record reported, once it is at least `count`. */
  reported(count: number): Promise<number>;
  /** SIGKILL; resolves to the last record reported before the end. */
  kill(): Promise<number>;
}

function startWriter(directory: string): Writer {
  const program = path.join(import.meta.dirname, "../dist/test/disk-writer.js");
  const child = spawn(process.execPath, [program, directory], { stdio: ["ignore", "pipe", "inherit"] });
  let last = 0;
  let text = "";
  child.stdout.on("data", (bytes: Buffer) => {
    text += bytes.toString();
    const lines = text.split("\n");
    text = lines.pop()!;
    if (lines.length > 0) last = Number(lines.at(-1));
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  return {
    processId: child.pid!,
    reported: async (count) => {
      while (last < count && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
      return last;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
      return last;
    },
  };
}
