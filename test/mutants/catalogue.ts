/**
 * All mutants, in the order in which they are planted. `npm run mutants` plants them, mutants.test.ts checks that they
 * apply.
 */
import type { Mutant } from "../../cli/mutant.ts";
import { CLIENT_MUTANTS } from "./client.ts";
import { DATABASE_MUTANTS } from "./database.ts";
import { RAFT_MUTANTS } from "./raft.ts";
import { REPLICA_MUTANTS } from "./replica.ts";
import { STORAGE_MUTANTS } from "./storage.ts";

export const MUTANTS: readonly Mutant[] = [
  ...RAFT_MUTANTS, ...REPLICA_MUTANTS, ...STORAGE_MUTANTS, ...DATABASE_MUTANTS, ...CLIENT_MUTANTS,
];
