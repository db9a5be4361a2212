/** Bugs of founding a cluster: of who may be a voter at all. Those of consensus among voters stand in raft.ts. */
import type { Mutant } from "../../cli/mutant.ts";

export const REPLICA_MUTANTS: readonly Mutant[] = [
  {
    name: "replica: an empty directory founds a cluster alone",
    seenIn: "etcd/raft until 7c8872a, openraft until 5215bf14",
    story: "A node that finds nothing on its disk makes itself the only voter, instead of asking all listed nodes.",
    database: "model",
    isControl: false,
    patches: [
      {
        file: "core/replica/replica.ts",
        before: "    const { incarnation } = identity;\n    const { random } = this;",
        after: "    const { incarnation } = identity;\n    const { random } = this;\n"
          + '    const alone = { id: "01".repeat(16) as never, founders: [{ node: id, incarnation }] };\n'
          + "    if (alone !== null) return this.become(recovered, { ...identity, cluster: alone });",
      },
    ],
  },
];
