/** How mutants are written down: most are one patch of one file, hunted with the page model. */
import type { Mutant, Patch } from "../../cli/mutant.ts";

export type Edit = readonly [file: string, before: string, after: string];

/** @param seenIn where it shipped; null: a classic, or one of our own making */
export function planted(name: string, seenIn: string | null, story: string, ...edits: readonly Edit[]): Mutant {
  const patches: Patch[] = edits.map(([file, before, after]) => ({ file, before, after }));
  return { name, story, seenIn, patches, database: "model", isControl: false };
}

/** One of the SQLite engine, or of the pages under it: the page model has pages of its own. */
export function plantedInSqlite(name: string, seenIn: string | null, story: string, ...edits: readonly Edit[]): Mutant {
  return { ...planted(name, seenIn, story, ...edits), database: "sqlite" };
}

/** @param failing a test that fails with it: its file, " > ", its name */
export function plantedAgainst(failing: string, mutant: Mutant): Mutant {
  return { ...mutant, failing };
}

/** Changes nothing that matters: what finds it finds itself. */
export function control(name: string, story: string, ...edits: readonly Edit[]): Mutant {
  return { ...planted(name, null, story, ...edits), isControl: true };
}
