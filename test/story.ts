/**
 * Runs stories: text files of commands and what they must lead to. A changed answer is a changed behaviour; REWRITE=1
 * writes the answers anew, and the difference is read like code.
 *
 *     # The sentence that the story proves.
 *
 *     command
 *     another command
 *     ----
 *     what both of them led to, a line each
 *
 * A block ends at an empty line. A story without commands, and a folder without stories, fail.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

export interface StoryTeller {
  /** Performs one command and tells what it led to. Throws on a command that makes no sense. */
  command(line: string): readonly string[];
  close?(): void;
}

interface Block {
  readonly commands: readonly string[];
  /** The lines before the answer, as they stand in the file. */
  readonly head: readonly string[];
  readonly answer: readonly string[];
}

/** Defines one test for each story in the folder below test/testdata. */
export function tellStories(folder: string, open: () => StoryTeller): void {
  const directory = join(import.meta.dirname, "testdata", folder);
  const files = readdirSync(directory).filter((file) => file.endsWith(".txt")).sort();
  test(`there are stories in ${folder}`, () => expect(files.length).toBeGreaterThan(0));
  for (const file of files) {
    test(`${folder}/${file}`, () => {
      const path = join(directory, file);
      const text = readFileSync(path, "utf8");
      const told = tell(text, open());
      if (process.env["REWRITE"] !== undefined) writeFileSync(path, told);
      else expect(told).toBe(text);
    });
  }
}

function tell(text: string, teller: StoryTeller): string {
  const blocks = text.trimEnd().split(/\n\n+/).map(parse);
  if (!blocks.some((block) => block.commands.length > 0)) throw new Error("a story has commands");
  const told = blocks.map(({ commands, head }) => {
    if (commands.length === 0) return head.join("\n");
    const answer = commands.flatMap((line) => teller.command(line));
    return [...head, "----", ...answer].join("\n");
  });
  teller.close?.();
  return `${told.join("\n\n")}\n`;
}

function parse(block: string): Block {
  const lines = block.split("\n");
  const ruler = lines.indexOf("----");
  const head = ruler < 0 ? lines : lines.slice(0, ruler);
  const commands = head.filter((line) => !line.startsWith("#") && line.trim() !== "");
  return { commands, head, answer: ruler < 0 ? [] : lines.slice(ruler + 1) };
}
