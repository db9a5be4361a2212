/**
 * Bugs of founding a cluster, of who may be a voter at all, and of judging whose state is wrong. Those of consensus
 * among voters stand in raft.ts.
 */
import type { Mutant } from "../../cli/mutant.ts";

const DIGESTS = "core/replica/digests.ts";

export const REPLICA_MUTANTS: readonly Mutant[] = [
  {
    name: "replica: states of different indexes are compared",
    seenIn: null,
    story: "The last that each member has told counts: who lags behind is taken to be wrong.",
    failing: "test/replica-digests.test.ts > states are compared at the same index only: who lags behind is not wrong",
    database: "model",
    isControl: false,
    patches: [
      {
        file: DIGESTS,
        before: "    const candidates = new Set(first.map((id) => this.told.get(id)?.get(index)));",
        after: "    const lastOf = (id: MemberId): number | undefined => "
          + "[...(this.told.get(id)?.values() ?? [])].at(-1);\n"
          + "    const candidates = new Set(first.map((id) => (id === this.self ? this.told.get(id)?.get(index) : "
          + "lastOf(id))));",
      },
      {
        file: DIGESTS,
        before: "voters.filter((id) => this.told.get(id)?.get(index) === candidate).length",
        after: "voters.filter((id) => lastOf(id) === candidate).length",
      },
    ],
  },
  {
    name: "replica: a node condemns itself without a majority",
    seenIn: null,
    story: "One other voter that differs is enough: who is wrong takes those with it that are right (rule 8).",
    failing: "test/replica-digests.test.ts > without a majority nobody is condemned: two that differ, and three of "
      + "which all do",
    database: "model",
    isControl: false,
    patches: [
      { file: DIGESTS, before: ".length >= majority(voters.length);", after: ".length >= 1 && voters.length > 0;" },
    ],
  },
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
