/**
 * The rules that durability rests on, by their numbers: where each is kept, which tests tell its stories, and which
 * mutants break it. docs/rules.md is made of this, and mutants.test.ts sees to it that all of it exists.
 */
import type { Rule } from "../../cli/mutant.ts";

const STORAGE_LAWS = "core/storage/invariants.ts";

export const RULES: readonly Rule[] = [
  {
    number: 8,
    says: "A leader makes sure that what it proposes says what the transaction did. States are compared at the same "
      + "index only, and nobody is condemned, nor condemns itself, without a majority.",
    places: [
      ["core/pages/page-store.ts", "a payload says what the transaction did"],
      ["core/replica/digests.ts", "Whether a majority of the voters contradicts us"],
    ],
    stories: [
      "test/payload.test.ts > what a leader has encoded is held against what the transaction did",
      "test/replica-digests.test.ts > who differs from a majority stops, marked; its next start gets everything anew, "
        + "and it is equal",
      "test/replica-digests.test.ts > without a majority nobody is condemned: two that differ, and three of which all "
        + "do",
    ],
    mutants: [
      "wal: a payload without the last page is proposed",
      "replica: states of different indexes are compared",
      "replica: a node condemns itself without a majority",
    ],
  },
  {
    number: 9,
    says: "A transaction builds on the database as the entry before left it: each page at most once, none beyond its "
      + "size, every page that it adds. (Payloads have whole pages so far, and there is one database.)",
    places: [
      ["core/wal/payload.ts", "pages ascend up to the database's size"],
      ["core/pages/page-store.ts", "SQLite writes every page that it adds to a database"],
      ["core/pages/transaction-rules.ts", "every page beyond the database's old size is in the payload"],
    ],
    stories: [
      "test/cuts.test.ts > an image refuses a payload that does not fit, and stays as it was",
      "test/payload.test.ts > a payload without pages is one",
    ],
    mutants: [
      "pages: of a page that was written twice the first version counts",
      "database: commits of a lost leadership stay",
    ],
  },
  {
    number: 13,
    says: "The log is append-only, a truncation being a record too; records chain, and marks say what is durable. "
      + "Before anything damaged is cut it is written down what is lost; until that is made good the node does not "
      + "stand, and votes only for who has it.",
    places: [
      [STORAGE_LAWS, "the log is append-only: its positions only rise"],
      [STORAGE_LAWS, "a mark vouches only for what is durable"],
      [STORAGE_LAWS, "what is lost is found out by recovery"],
      ["core/raft/invariants.ts", "who has lost entries does not stand"],
      ["core/raft/invariants.ts", "a loss is forgotten when the durable log is as far again"],
    ],
    stories: [
      "test/replica-damage.test.ts > wherever a crash comes while a damaged log is cut, what is lost is known "
        + "afterwards",
      "test/storage-segments.test.ts > a truncation stays one, whatever is dropped behind or written after it (M81, "
        + "M84)",
      "test/testdata/raft/loss-does-not-stand.txt",
      "test/testdata/raft/loss-votes-for-who-has-it.txt",
      "test/testdata/raft/loss-leader-takes-back.txt",
      "test/testdata/raft/loss-made-good.txt",
    ],
    mutants: [
      "storage: a recycled segment keeps its old header",
      "storage: a truncation is not read back",
      "storage: cuts a damaged log before it says what is lost",
      "raft: votes in spite of a loss",
      "raft: stands in spite of a loss",
      "raft: forgets a loss too early",
      "raft: a leader counts what was lost",
    ],
  },
  {
    number: 14,
    says: "An empty directory makes no voter by itself: it neither votes, stands nor acknowledges before all listed "
      + "nodes have said that they are empty too, or a committed configuration names its disk.",
    places: [
      ["core/replica/participant.ts", "a participant is of a cluster"],
      ["core/replica/bootstrap.ts", "a cluster is founded by nodes that have all been heard"],
    ],
    stories: [
      "test/testdata/bootstrap/founding.txt",
      "test/testdata/bootstrap/lost-coordinator.txt",
      "test/testdata/bootstrap/id-reuse.txt",
      "test/testdata/bootstrap/replaced-disk.txt",
    ],
    mutants: [
      "replica: an empty directory founds a cluster alone",
      "replica: an empty disk answers for the one that was lost",
    ],
  },
  {
    number: 15,
    says: "A checkpoint is one cut at one committed entry, whose pages are pinned until they are written. First the "
      + "files, then the manifest, each synced and named, and only then deletions. A log that does not hold the "
      + "manifest's entry is discarded before the node speaks. Beyond the cut's page count a page is absent.",
    places: [
      [STORAGE_LAWS, "what the log has lost the snapshot has"],
      ["core/raft/invariants.ts", "what has been compacted is in a snapshot"],
      ["core/storage/page-set.ts", "the entry of the manifest never falls"],
      ["core/storage/publication.ts", "Only then is anything removed"],
      ["core/pages/cuts.ts", "a page of a cut is read before the cut ends"],
    ],
    stories: [
      "test/checkpoint.test.ts > files, sync, rename and directory come first, then the manifest in the same order "
        + "(rule 15, W25)",
      "test/checkpoint.test.ts > a page beyond the page count is absent, whatever older files hold; one that comes "
        + "back "
        + "is as it came",
      "test/page-crashes.test.ts > checkpoints and a merge crash anywhere: the old snapshot or the new one, never a "
        + "mix "
        + "(M85)",
      "test/testdata/database/a-cut-has-what-has-changed.txt",
    ],
    mutants: [
      "storage: files are removed before the manifest is durable",
      "storage: a file of pages gets its name before it is synced",
      "storage: a merge keeps the older version of a page",
      "storage: pages beyond the page count come back",
      "storage: the log is taken to be newer than the snapshot",
      "pages: a cut is read from the state as it goes on",
      "pages: a cut that could not be stored is forgotten",
    ],
  },
  {
    number: 16,
    says: "A snapshot is restored in the same order as entries are applied, and ends what reads and writes; a log that "
      + "goes on behind its entry stays; it is acknowledged once its manifest is durable; what is sent is pinned.",
    places: [
      ["core/storage/reception.ts", "a snapshot is installed once all of it is there"],
      ["core/raft/delivery.ts", "a snapshot is restored only if it is ahead"],
      ["core/database/executor.ts", "nothing is open or speculative at a restore"],
      ["core/storage/page-set.ts", "only what is held is let go"],
    ],
    stories: [
      "test/replica-snapshots.test.ts > wherever a crash comes while a snapshot is installed, log and snapshot agree "
        + "(M76, M79, M94, M96)",
      "test/replica-snapshots.test.ts > a snapshot on its way stays readable while its sender stores newer ones and "
        + "merges files (W10)",
      "test/testdata/raft/snapshot-matches-log.txt",
      "test/testdata/raft/snapshot-then-apply.txt",
      "test/testdata/raft/snapshot-crash.txt",
      "test/testdata/raft/snapshot-pinned.txt",
      "test/testdata/database/a-restored-state-replaces-all.txt",
    ],
    mutants: [
      "raft: a snapshot is acknowledged before it is durable",
      "raft: applies while a snapshot is being installed",
      "raft: a chunk is written behind the one before, whichever it is",
      "storage: an installed snapshot leaves a conflicting log behind",
      "storage: leaves out files that this disk has only in part",
      "storage: a snapshot that is being sent is not pinned",
    ],
  },
  {
    number: 17,
    says: "Space is taken before it is needed, and a reserve is kept: on a full disk proposals are refused, while "
      + "no-ops, configurations and a checkpoint still fit. Leadership goes only to who has space.",
    places: [
      [STORAGE_LAWS, "space is taken before it is needed, and a group lies in one segment"],
      ["core/storage/disk-failure.ts", "what nobody relies on yet may"],
      ["core/raft/proposals.ts", "diskFull"],
    ],
    stories: [
      "test/replica-space.test.ts > a node alone on a full disk refuses writes by name, reads on, and takes them again "
        + "by itself",
      "test/replica-space.test.ts > what the reserve is for: on a full disk a snapshot is stored all the same, and the "
        + "log becomes shorter",
      "test/testdata/raft/space-hands-over.txt",
      "test/testdata/raft/space-refused.txt",
      "test/testdata/raft/space-lost-by-target.txt",
      "test/testdata/database/a-full-disk-refuses-writes.txt",
    ],
    mutants: ["storage: the reserve is not made again"],
  },
];
