/** A log read while no process runs its node: from the files as a process left them, behind their snapshot. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { OfflineLog } from "../cli/offline-log.ts";
import type { Entry, LogIndex } from "../core/types.ts";
import {
  NODE_A, type StorageRun, bootstrapped, contentOf, entry, hardState, order, snapshotOf,
} from "./storage-run.ts";

/** The files of a node in a directory of the real disk, for as long as the test looks at them. */
async function offline(run: StorageRun, look: (log: OfflineLog, directory: string) => Promise<void>): Promise<void> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-test-"));
  try {
    for (const file of ["identity", "term", "log", "snapshot"]) {
      const bytes = run.disk.bytesOf(file);
      if (bytes !== undefined) fs.writeFileSync(path.join(directory, file), bytes);
    }
    const log = await OfflineLog.open(directory, NODE_A);
    await look(log, directory);
    await log.close();
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function fiveEntries(): StorageRun {
  const entries = [1, 2, 3, 4, 5].map((at) => entry(1, at, Uint8Array.of(at)));
  return bootstrapped().persist(order(1, { hardState: hardState(1, "a"), entries })).settle();
}

async function read(log: OfflineLog, last: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const one of log.entries(last as LogIndex)) entries.push(one);
  return entries;
}

test("without a snapshot all entries are there", async () => {
  await offline(fiveEntries(), async (log) => {
    expect(await log.snapshot()).toBeNull();
    expect((await read(log, 4)).map(({ index }) => index)).toEqual([1, 2, 3, 4]);
  });
});

test("behind a snapshot the entries that it lacks are there, however far the log has been compacted", async () => {
  const snapshot = snapshotOf(1, 3);
  await offline(fiveEntries().store(snapshot).settle().compact(1, 2).settle(), async (log, directory) => {
    const before = fs.readdirSync(directory).sort();
    expect(await log.snapshot()).toEqual(contentOf(snapshot));
    expect(await read(log, 5)).toEqual([entry(1, 4, Uint8Array.of(4)), entry(1, 5, Uint8Array.of(5))]);
    expect(await read(log, 3)).toEqual([]);
    expect(fs.readdirSync(directory).sort()).toEqual(before);
  });
});
