/**
 * A mutant: a small named patch of the product's source that brings a real bug back. The simulator has to find it; what
 * it cannot find is a hole in the simulator. And a bug: one that a system of this kind has had, which mutants bring
 * back, or of which it is said why none can.
 */
import type { DatabaseKind } from "../sim/environment.ts";

export interface Patch {
  /** From the root of the repository. */
  readonly file: string;
  /** Occurs exactly once. */
  readonly before: string;
  readonly after: string;
}

export interface Mutant {
  /** The file's area, then what is wrong: "raft: acknowledges before it is durable". */
  readonly name: string;
  /** What goes wrong, and what it would take to be seen, in one sentence. */
  readonly story: string;
  /** Where it shipped: project and commit or issue; null: a classic, or one of our own making. */
  readonly seenIn: string | null;
  /** What the simulator runs over: the page model unless the patch is in the SQLite engine. */
  readonly database: DatabaseKind;
  readonly patches: readonly Patch[];
  /** A test that fails with it: its file, " > ", its name. */
  readonly failing?: string;
  /** A control changes nothing that matters: it must survive. */
  readonly isControl: boolean;
}

export interface Bug {
  /** As other documents name it: "M34". */
  readonly number: string;
  readonly title: string;
  /** The names of the mutants that bring it back; none: `because` says why there can be none. */
  readonly mutants: readonly string[];
  readonly because: string | null;
}

/** A rule that safety rests on, with everything that keeps it. */
export interface Rule {
  readonly number: number;
  readonly says: string;
  /** Where it is kept: a file, and words of the law, or of the sentence, that stand there. */
  readonly places: readonly (readonly [file: string, words: string])[];
  /** A test (its file, " > ", its name), or a story's file. */
  readonly stories: readonly string[];
  /** The names of the mutants that break it. */
  readonly mutants: readonly string[];
}

/** The file with the patch in it; null: the old text does not occur exactly once. */
export function applyPatch(text: string, patch: Patch): string | null {
  const at = text.indexOf(patch.before);
  if (at < 0 || text.includes(patch.before, at + 1)) return null;
  return text.slice(0, at) + patch.after + text.slice(at + patch.before.length);
}
