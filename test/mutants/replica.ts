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
  {
    name: "replica: an empty disk answers for the one that was lost",
    seenIn: "redisraft until 8b6a919 (#2), etcd #21178",
    story: "Members are counted by name: a node that lost its disk votes and acknowledges as if it still had it (M75).",
    database: "model",
    isControl: false,
    patches: [
      {
        file: "core/replica/bootstrap.ts",
        before: "    if (own !== this.options.incarnation) {",
        after: "    if (own === null) {",
      },
      {
        file: "core/replica/correspondence.ts",
        before: "    if (receiver === own) return null;",
        after: "    if (receiver !== null) return null;",
      },
      {
        file: "core/replica/participant.ts",
        before: "    const sender = memberIdOf(from, envelope.sender);",
        after: "    const sender = this.roster.memberOf(from) ?? memberIdOf(from, envelope.sender);",
      },
    ],
  },
];
