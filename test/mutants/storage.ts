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
    '  yield { type: "sync", file: LOG_FILE };\n  const generation',
    "  const generation",
  ),
];
