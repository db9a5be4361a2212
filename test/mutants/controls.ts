/**
 * Controls: they change how the product behaves, and nothing that it promises. Whatever finds one is a false alarm; and
 * one that changes no behaviour at all shows that a find is the mutant's, and not that of the planting.
 */
import type { Mutant } from "../../cli/mutant.ts";
import { control } from "./planting.ts";

export const CONTROLS: readonly Mutant[] = [
  control(
    "control: a comment is changed",
    "Nothing happens.",
    ["core/raft/commit.ts", "How far the log is committed", "How much of it is committed"],
  ),
  control(
    "control: timeouts are longer",
    "Nobody may rely on when somebody stands.",
    [
      "core/raft/election.ts",
      "  const wait = random.integer(timeout, 2 * timeout - 1);",
      "  const wait = random.integer(timeout, 2 * timeout - 1) + timeout / 8;",
    ],
  ),
  control(
    "control: a heartbeat more often",
    "Every message that may be sent may be sent twice.",
    [
      "core/raft/leader.ts",
      "    this.rounds.begin(now);\n    this.followers.heartbeat();\n    this.followers.tend",
      "    this.rounds.begin(now);\n    this.followers.heartbeat();\n    this.followers.heartbeat();\n"
        + "    this.followers.tend",
    ],
  ),
  control(
    "control: more of the log is kept",
    "How much of it is compacted is nobody's promise.",
    [
      "core/raft/compaction.ts",
      "    const bound = index - this.trailingEntries;",
      "    const bound = index - this.trailingEntries - 3;",
    ],
  ),
];
