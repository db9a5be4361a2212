/**
 * All mutants, in the order in which they are planted. `npm run mutants` plants them, mutants.test.ts checks that they
 * apply. Which bugs they bring back: bugs.ts.
 */
import type { Mutant } from "../../cli/mutant.ts";
import { CLIENT_MUTANTS } from "./client.ts";
import { CONTROLS } from "./controls.ts";
import { DATABASE_MUTANTS } from "./database.ts";
import { ELECTION_MUTANTS } from "./elections.ts";
import { RAFT_MUTANTS } from "./raft.ts";
import { REPLICA_MUTANTS } from "./replica.ts";
import { REPLICATION_MUTANTS } from "./replication.ts";
import { SQLITE_MUTANTS } from "./sqlite.ts";
import { STORAGE_MUTANTS } from "./storage.ts";

export const MUTANTS: readonly Mutant[] = [
  ...CONTROLS, ...RAFT_MUTANTS, ...ELECTION_MUTANTS, ...REPLICATION_MUTANTS, ...REPLICA_MUTANTS, ...STORAGE_MUTANTS,
  ...DATABASE_MUTANTS, ...SQLITE_MUTANTS, ...CLIENT_MUTANTS,
];
