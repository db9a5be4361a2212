/** Bugs of sessions, of the writer's queue, of when an answer may leave, and of the pages that are stored. */
import type { Mutant } from "../../cli/mutant.ts";

const EXECUTOR = "core/database/executor.ts";
const OUTBOX = "core/database/outbox.ts";

function mutant(
  name: string, seenIn: string | null, story: string, file: string, before: string, after: string,
): Mutant {
  return { name, story, seenIn, database: "model", isControl: false, patches: [{ file, before, after }] };
}

export const DATABASE_MUTANTS: readonly Mutant[] = [
  mutant(
    "database: readers see what is not committed",
    "kin: dqlite until 4dadac6f",
    "A read runs on the writer's view: it sees commits that are not replicated, and an open transaction besides.",
    "core/database/database.ts",
    'const result = this.engine.run("reader", sql, parameters);',
    'const result = this.engine.run("writer", sql, parameters);',
  ),
  {
    name: "pages: frames are visible before they are committed",
    seenIn: "kin: dqlite until 4dadac6f",
    story: "Readers are given the speculative header of the WAL: they see commits that a new leader may never have. "
      + "(The engine's own probe at start-up would refuse that at once; it is put to silence.)",
    database: "sqlite",
    isControl: false,
    patches: [
      {
        file: "core/pages/page-store.ts",
        before: 'const header = view === "applied" ? this.applied : this.speculativeHeader;',
        after: "const header = this.speculativeHeader;",
      },
      {
        file: "core/sqlite/factory.ts",
        before: "  if (differences.length > 0) throw new SqlJsMismatchError(module.version, differences);",
        after: "",
      },
    ],
  },
  mutant(
    "database: a query does not wait for its index",
    "kin: etcd until read index requests waited for the applied index",
    "The leader has named the index as of which the state is new enough; the node answers before it has applied that.",
    "core/database/queries.ts",
    "    if (this.outlet.hasApplied(index)) this.execute(waiting);",
    "    if (index >= 0) this.execute(waiting);",
  ),
  mutant(
    "database: acknowledges what is only proposed",
    null,
    "The answer leaves with the proposal, not with its entry's application.",
    EXECUTOR,
    "      this.outbox.proposed(proposal, first, at === commits.length - 1 ? answer : null);",
    "      this.outbox.proposed(proposal, first, null);\n"
      + "      if (at === commits.length - 1) this.outlet.send(answer);",
  ),
  mutant(
    "database: lets an answer that made no frames leave at once",
    null,
    "Rows, counts and errors computed on the writer's view may rest on commits that a new leader never has.",
    EXECUTOR,
    "    this.outbox.hold(answer, this.leadership.lastProposal, this.outlet.requestRead());",
    "    this.outlet.send(answer);",
  ),
  mutant(
    "database: says no for maybe when leadership is lost",
    "redisraft #23, dqlite #46",
    "Frames were undone, so the client is told that nothing was executed; the next leader commits the entry.",
    OUTBOX,
    "    for (const one of this.inFlight) this.orphans.set(one.proposal, one);\n    this.inFlight = [];\n"
      + "    const fallen = this.held;",
    "    const fallen = [...this.held, ...this.inFlight.flatMap(({ answer, proposal }) => answer === null ? [] : "
      + "[{ answer, above: proposal, read: 0 as ReadNumber, confirmed: false }])];\n    this.inFlight = [];",
  ),
  mutant(
    "database: a new leader executes before it has caught up",
    "dqlite until 71591e7a",
    "Its applied state may lack what its predecessor acknowledged: there is no barrier at its own no-op.",
    "core/database/leadership.ts",
    "return this.leads && this.prepared;",
    "return this.leads;",
  ),
  mutant(
    "database: executes a repeated request again",
    "redisraft #13",
    "A request that the network duplicates, or that the client repeats, counts twice.",
    "core/database/recollection.ts",
    "    if (this.isSettled(sequence)) return \"settled\";\n    const answer = this.answers.get(sequence);\n"
      + "    if (answer !== undefined) return answer === null ? \"working\" : \"answered\";\n",
    "",
  ),
  mutant(
    "pages: a cut is read from the state as it goes on",
    "kin: dqlite until c1efb685",
    "The pages of a cut are looked up when they are written, not when it is taken: some are of later entries.",
    "core/pages/cuts.ts",
    "      const page = this.pages[place];",
    "      const page = this.pages.length === 0 ? undefined : pageOf(numbers[place] ?? 0);",
  ),
  mutant(
    "pages: a cut that could not be stored is forgotten",
    null,
    "The disk was full, and the next cut has only what has changed since: the stored snapshot lacks pages.",
    "core/pages/cuts.ts",
    "    if (!isStored) for (const number of cut.numbers) this.changed.add(number);\n",
    "",
  ),
];
