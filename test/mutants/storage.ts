/** Bugs of the log on disk and of its recovery. */
import type { Mutant } from "../../cli/mutant.ts";

const GROUP_COMMIT = "core/storage/group-commit.ts";

function mutant(
  name: string, seenIn: string | null, story: string, file: string, before: string, after: string,
): Mutant {
  return { name, story, seenIn, database: "model", isControl: false, patches: [{ file, before, after }] };
}

export const STORAGE_MUTANTS: readonly Mutant[] = [
  mutant(
    "storage: says that entries are durable without a sync",
    null,
    "The log's sync is a sync of the other file, which holds nothing new.",
    GROUP_COMMIT,
    'operation: { type: "sync", file: file === "term" ? TERM_FILE : LOG_FILE }',
    'operation: { type: "sync", file: TERM_FILE }',
  ),
  mutant(
    "storage: says that a vote is durable without a sync",
    null,
    "The vote's sync is a sync of the other file: after a crash a node votes twice.",
    GROUP_COMMIT,
    'operation: { type: "sync", file: file === "term" ? TERM_FILE : LOG_FILE }',
    'operation: { type: "sync", file: LOG_FILE }',
  ),
  mutant(
    "storage: reports what it has not made durable",
    null,
    "A killed process leaves bytes in the page cache; the next one vouches for them, and then the power fails.",
    "core/storage/log-recovery.ts",
    '  yield { type: "sync", file: LOG_FILE };\n  log.noteSynced();\n  const generation',
    "  log.noteSynced();\n  const generation",
  ),
  mutant(
    "storage: a compacted log takes the old one's place before it is on disk",
    null,
    "The rewritten log is renamed without a sync: after a crash its records are gone, and with them what a quorum had.",
    "core/storage/log-rewrite.ts",
    '  yield { type: "sync", file: LOG_NEW };\n',
    "",
  ),
  mutant(
    "storage: an installed snapshot leaves a conflicting log behind",
    "openraft 674e78aa",
    "A crash between snapshot and log leaves a log that lacks the snapshot's entry, and recovery believes it.",
    "core/storage/recovery.ts",
    "  const refused = yield* rewriteLog(files, entry, limits);\n  return refused ?? { ok: true, value: true };",
    "  return { ok: true, value: false };",
  ),
  mutant(
    "storage: a snapshot is acknowledged before its name is durable",
    "cowsql e514f78f",
    "The rename of a received snapshot is not followed by a sync of the directory: a crash takes it back.",
    "core/storage/snapshot-write.ts",
    '  yield { type: "rename", from, to: SNAPSHOT_FILE };\n  yield { type: "syncDirectory" };',
    '  yield { type: "rename", from, to: SNAPSHOT_FILE };',
  ),
];
