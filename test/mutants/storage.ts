/** Bugs of what stands on disk: of the log, of snapshots, of damage, of space; and of how it is read back. */
import type { Mutant } from "../../cli/mutant.ts";
import { planted } from "./planting.ts";

const GROUP_COMMIT = "core/storage/group-commit.ts";
const RECOVERY = "core/storage/recovery.ts";
const INSTALLED = "test/replica-snapshots.test.ts > wherever a crash comes while a snapshot is installed, log and "
  + "snapshot agree (M76, M79, M94, M96)";
const LOG_SPACE = "core/storage/log-space.ts";

/** @param failing a test that fails with it: its file, " > ", its name */
function mutant(
  name: string, seenIn: string | null, story: string, failing: string, ...edits: readonly (readonly string[])[]
): Mutant {
  const patches = edits.map(([file = "", before = "", after = ""]) => ({ file, before, after }));
  return { name, story, seenIn, failing, database: "model", isControl: false, patches };
}

const OF_LOGS: readonly Mutant[] = [
  mutant(
    "storage: says that entries are durable without a sync",
    null,
    "The log's sync is a sync of the other file, which holds nothing new.",
    "test/replica-damage.test.ts > what a majority has acknowledged survives the loss of power of all",
    [
      GROUP_COMMIT,
      '    return { operation: { type: "sync", file: this.files.log.current.file }, synced: "log" };',
      '    return { operation: { type: "sync", file: TERM_FILE }, synced: "log" };',
    ],
  ),
  mutant(
    "storage: says that a vote is durable without a sync",
    null,
    "The vote's sync is a sync of the other file: after a crash a node votes twice.",
    "test/replica-damage.test.ts > what a majority has acknowledged survives the loss of power of all",
    [
      GROUP_COMMIT,
      '{ operation: { type: "sync", file: TERM_FILE }, synced: "term" }',
      '{ operation: { type: "sync", file: this.files.log.current.file }, synced: "term" }',
    ],
  ),
  mutant(
    "storage: the first group of a segment is not synced",
    "kin: canonical/raft 2116883",
    "After a roll the segment before is synced once more, and what stands in the new one is said to be durable.",
    "test/replica-damage.test.ts > what a majority has acknowledged survives the loss of power of all",
    [
      GROUP_COMMIT,
      "      bytes.set(header);\n      return [perform({ type: \"write\", file: log.current.file, offset: 0, bytes }), "
        + "this.syncLog()];",
      "      bytes.set(header);\n      const operation = { type: \"sync\", file: TERM_FILE } as const;\n"
        + "      return [perform({ type: \"write\", file: log.current.file, offset: 0, bytes }), "
        + "{ operation, synced: \"log\" }];",
    ],
  ),
  mutant(
    "storage: a recycled segment keeps its old header",
    null,
    "A roll writes its records only: the file says that it is another part of the log, which has long been dropped.",
    "test/replica-damage.test.ts > what a majority has acknowledged survives the loss of power of all",
    [GROUP_COMMIT, "      bytes.set(header);\n", ""],
  ),
  mutant(
    "storage: reports what it has not made durable",
    null,
    "A killed process leaves bytes in the page cache; the next one vouches for them, and then the power fails.",
    "test/replica-damage.test.ts > what a killed process wrote is durable before the next one answers for it",
    [
      "core/storage/log-recovery.ts",
      '  for (const file of touched) yield { type: "sync", file };\n  log.noteSynced();\n',
      "  log.noteSynced();\n",
    ],
  ),
  mutant(
    "storage: goes on where a sync has failed",
    "PostgreSQL until 2018 (fsyncgate)",
    "The failure of a sync is taken for an answer: what the system has dropped is acknowledged.",
    "test/replica-damage.test.ts > a sync that fails ends the node: not a word leaves it afterwards, and what it held "
      + "back was not durable",
    [
      "core/storage/disk-failure.ts",
      "      return isNameless(operation.file) && isWantOfSpace(failure);",
      "      return operation.type === \"sync\" || isWantOfSpace(failure);",
    ],
  ),
  mutant(
    "storage: goes on where a write has failed",
    "canonical/raft until a5cef60",
    "What was to be written is not there, and what comes behind it is: a hole in the log (M66).",
    "test/storage.test.ts > a failure is reported once and ends everything: no retry, no later answer, no further "
      + "order "
      + "(M87)",
    [
      "core/storage/disk-failure.ts",
      "      return isNameless(operation.file) && isWantOfSpace(failure);",
      "      return operation.type === \"write\" || (isNameless(operation.file) && isWantOfSpace(failure));",
    ],
  ),
  mutant(
    "storage: a truncation is not read back",
    "redisraft until dd87c0d",
    "After a restart what was cut is there again, and what took its place does not fit (M81).",
    "test/storage-segments.test.ts > a truncation stays one, whatever is dropped behind or written after it (M81, M84)",
    [
      "core/storage/log-replay.ts",
      "      log.advance(record);\n",
      "      log.advance(record.kind === \"truncation\" ? { ...record, entry: log.entries.last } : record);\n",
    ],
  ),
  planted(
    "storage: a configuration that was cut is read back",
    "redisraft until 619e623",
    "After a restart a node goes by members whom nobody ever agreed on (M81, M105).",
    [
      "core/storage/log-replay.ts",
      "    while (kind === \"truncation\" && (configurations.at(-1)?.index ?? 0) > index) configurations.pop();\n",
      "",
    ],
  ),
];

const OF_SNAPSHOTS: readonly Mutant[] = [
  mutant(
    "storage: an installed snapshot leaves a conflicting log behind",
    "openraft 674e78aa",
    "A crash between snapshot and log leaves a log that contradicts the snapshot's entry, and recovery believes it "
      + "(M79).",
    "test/storage-snapshot-crash.test.ts > a snapshot that contradicts a longer log replaces it at every crash, or not "
      + "at all (M79)",
    [
      RECOVERY,
      "  const isHeld = log.entries.holds(entry);",
      "  const isHeld = log.entries.holds(entry) || log.entries.last.index >= entry.index;",
    ],
  ),
  mutant(
    "storage: the log is taken to be newer than the snapshot",
    "canonical/raft until a3de078",
    "A crash between snapshot and log leaves a log that ends before the snapshot's entry, and recovery goes on with it "
      + "(M76).",
    INSTALLED,
    [
      RECOVERY,
      "  const isHeld = log.entries.holds(entry);",
      "  const isHeld = log.entries.holds(entry) || log.entries.last.index < entry.index;",
    ],
  ),
  mutant(
    "storage: a log that starts anew is off by one",
    "redisraft until 5195c0c",
    "It says that it begins behind the entry before the snapshot's (M82).",
    "test/storage-segments.test.ts > a log that starts anew begins right behind its snapshot (M82)",
    [
      "core/storage/log-drop.ts",
      "    sequence: prepared.sequence, start: older.end, base, previous: 0,",
      "    sequence: prepared.sequence, start: older.end, previous: 0,\n"
        + "    base: { term: base.term, index: Math.max(0, base.index - 1) as typeof base.index },",
    ],
  ),
  mutant(
    "storage: files are removed before the manifest is durable",
    "kin: cowsql e514f78f",
    "The rename of the manifest is not followed by a sync of the directory: a crash takes it back, and the files that "
      + "it names are gone (M96).",
    "test/page-crashes.test.ts > checkpoints and a merge crash anywhere: the old snapshot or the new one, never a mix "
      + "(M85)",
    [
      "core/storage/publication.ts",
      '  yield { type: "rename", from: file, to: MANIFEST_FILE };\n  yield { type: "syncDirectory" };\n',
      '  yield { type: "rename", from: file, to: MANIFEST_FILE };\n',
    ],
  ),
  mutant(
    "storage: a file of pages gets its name before it is synced",
    "rqlite #2458, canonical/raft ff15e78",
    "The manifest is durable, and the pages that it names are not (M85, W25).",
    "test/page-crashes.test.ts > checkpoints and a merge crash anywhere: the old snapshot or the new one, never a mix "
      + "(M85)",
    [
      "core/storage/page-file-writer.ts",
      '    if (!hadSpace(yield { type: "sync", file })) return "refused";\n',
      "",
    ],
  ),
  mutant(
    "storage: a merge keeps the older version of a page",
    "kin: rqlite #1711",
    "Of two files that are merged the older one wins (W24): the state becomes that of no index at all.",
    "fuzz/pages.test.ts > whatever is cut, merged, sent and restarted, what is read back is the database",
    [
      "core/storage/merge.ts",
      "numbers[place]! * MAX_FILES + inputs.length - 1 - at;",
      "numbers[place]! * MAX_FILES + at;",
    ],
    [
      "core/storage/merge.ts",
      "const holder = this.inputs.length - 1 - (entry % MAX_FILES);",
      "const holder = entry % MAX_FILES;",
    ],
  ),
  mutant(
    "storage: pages beyond the page count come back",
    "kin: redisraft dd87c0d",
    "A database that has shrunk gets the pages back that older files hold.",
    "fuzz/pages.test.ts > whatever is cut, merged, sent and restarted, what is read back is the database",
    [
      "core/storage/page-set.ts",
      "    if (number > this.state.pageCount) return false;\n    for",
      "    for",
    ],
  ),
  mutant(
    "storage: leaves out files that this disk has only in part",
    null,
    "Who has the state as of R takes a file for known that begins before R, though it goes on behind it.",
    "fuzz/pages.test.ts > whatever is cut, merged, sent and restarted, what is read back is the database",
    [
      "core/storage/reception.ts",
      "      const isHere = base !== null && traits.through <= base.state.entry.index;",
      "      const isHere = base !== null && (rows[kept.length - 1]?.through ?? 0) < base.state.entry.index;",
    ],
  ),
  mutant(
    "storage: a snapshot that is being sent is not pinned",
    "dqlite until c1efb685",
    "The next checkpoint's merge removes the files that are on their way (W10): the transfer begins anew, for ever.",
    "test/replica-snapshots.test.ts > a snapshot on its way stays readable while its sender stores newer ones and "
      + "merges files (W10)",
    [
      "core/storage/page-set.ts",
      "    this.hold(stored);\n    this.pinned.push(stored);\n",
      "",
    ],
  ),
];

const OF_DAMAGE: readonly Mutant[] = [
  planted(
    "storage: term and vote go with a log that is discarded",
    "redisraft until 46a6ad0",
    "A directory whose snapshot is of no use is emptied, and with it what the node has promised: it votes again (M30).",
    [
      RECOVERY,
      "  if (isDiscarded) yield* writeSlot(marked, { lost, isQuarantined: true });",
      "  if (isDiscarded) yield* writeSlot(marked, { lost, isQuarantined: true, hardState: INITIAL_HARD_STATE });",
    ],
  ),
  mutant(
    "storage: cuts a damaged log before it says what is lost",
    null,
    "A crash between the cut and the marker leaves a log that looks whole: what it had is forgotten (rule 13).",
    "test/replica-damage.test.ts > wherever a crash comes while a damaged log is cut, what is lost is known afterwards",
    [RECOVERY, "  else if (lost !== term.lost) yield* writeSlot(marked, { lost });\n", ""],
    [
      RECOVERY,
      "  const log = settled.value;\n",
      "  const log = settled.value;\n  if (lost !== term.lost) yield* writeSlot(marked, { lost });\n",
    ],
  ),
  mutant(
    "storage: the reserve is not made again",
    null,
    "It is believed to be there: the next time that the disk is full nothing can be given up.",
    "test/reserve.test.ts > however full the disk is, a checkpoint of all that the log holds is stored",
    [LOG_SPACE, "  reserve.size = 0;\n", ""],
  ),
  mutant(
    "storage: the reserve is smaller than it says",
    null,
    "It is made too small for what it is to cover: the checkpoint for which it is given up finds no room.",
    "test/reserve.test.ts > however full the disk is, a checkpoint of all that the log holds is stored",
    [LOG_SPACE, "makeFile(RESERVE_NEW, size)", "makeFile(RESERVE_NEW, Math.min(size, 4096))"],
    [LOG_SPACE, "file: RESERVE_FILE, size })", "file: RESERVE_FILE, size: 4096 })"],
  ),
  mutant(
    "storage: the reserve is made again of the room of a checkpoint",
    null,
    "What was given up for a checkpoint is free, and is taken for a new reserve before the checkpoint has taken it.",
    "test/reserve.test.ts > however full the disk is, a checkpoint of all that the log holds is stored",
    [
      "core/storage/upkeep.ts",
      "    return !this.awaitsReserve && !this.files.reserve.isLent;",
      "    return !this.awaitsReserve;",
    ],
    [
      "core/storage/upkeep.ts",
      "    reserve.isLent = true;\n",
      "    reserve.isLent = true;\n    this.isRefused = false;\n",
    ],
  ),
];

export const STORAGE_MUTANTS: readonly Mutant[] = [...OF_LOGS, ...OF_SNAPSHOTS, ...OF_DAMAGE];
