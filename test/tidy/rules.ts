/**
 * What a reader may rely on in every file: a header, a bounded size, honest names, no way around the other fences.
 *
 * Each rule judges text line by line. It is no parser: where a rule would need one (a function's length, import cycles)
 * it stands in .oxlintrc.json instead.
 */
import { isCode } from "./source.ts";
import type { Complaint, Finding, Rule, SourceFile } from "./source.ts";

const MAX_LINES = 400;
/** Above this a file is listed, so that it is split before it has to be. */
const LARGE_LINES = 250;
const MAX_LINE_LENGTH = 120;
const MIN_HEADER_LENGTH = 40;

/** Judges each code file on its own. */
function eachFile(judge: (file: SourceFile) => readonly Complaint[]): Rule {
  return (files) => {
    const code = files.filter(isCode);
    return { looked: code.length, complaints: code.flatMap(judge) };
  };
}

/** Complains of each line that matches; `looked` counts lines. */
function eachLine(judge: (line: string, file: SourceFile) => string | null): Rule {
  return (files): Finding => {
    const complaints: Complaint[] = [];
    let looked = 0;
    for (const file of files.filter(isCode)) {
      for (const [at, line] of file.lines.entries()) {
        looked++;
        const message = judge(line, file);
        if (message !== null) complaints.push({ path: file.path, line: at + 1, message });
      }
    }
    return { looked, complaints };
  };
}

/** The first comment, without its marks; empty: the file opens with code. */
function headerOf(file: SourceFile): string {
  const text = file.text.replace(/^#!.*\n/, "");
  const block = /^\/\*\*([\s\S]*?)\*\//.exec(text);
  if (block !== null) return (block[1] ?? "").replace(/^\s*\* ?/gm, "").trim();
  return /^\/\/ (.*)/.exec(text)?.[1] ?? "";
}

export const opensWithHeader = eachFile((file) => {
  if (headerOf(file).length >= MIN_HEADER_LENGTH) return [];
  return [{ path: file.path, line: 1, message: "opens with a comment that says what it is and what it is not" }];
});

export const isShort = eachFile((file) => {
  const count = file.lines.length - 1;
  if (count <= MAX_LINES) return [];
  return [{ path: file.path, line: 0, message: `has ${count} lines, at most ${MAX_LINES}: split by noun` }];
});

/** Not a rule: the files that will break it next. */
export function largeFiles(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => isCode(file) && file.lines.length - 1 > LARGE_LINES)
    .map((file) => `${file.path} (${file.lines.length - 1} lines)`);
}

export const hasShortLines = eachLine((line) => {
  return line.length <= MAX_LINE_LENGTH ? null : `is ${line.length} characters long, at most ${MAX_LINE_LENGTH}`;
});

const EMPTY_WORDS: ReadonlySet<string> = new Set(["util", "utils", "helper", "helpers", "common", "manager", "misc"]);

export const hasHonestName = eachFile((file) => {
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  const complaints: Complaint[] = [];
  if (!/^[a-z0-9-]+(\.test|\.config)?\.(ts|js|mjs)$/.test(name)) {
    complaints.push({ path: file.path, line: 0, message: "is named in kebab-case" });
  }
  const empty = file.path.split(/[/.-]/).find((word) => EMPTY_WORDS.has(word));
  if (empty !== undefined) {
    complaints.push({ path: file.path, line: 0, message: `is named by its noun, not "${empty}"` });
  }
  return complaints;
});

/** Else `npm run fuzz` would run the same examples again and again, and nobody would notice. */
export const takesChanceFromOnePlace: Rule = (files) => {
  const fuzzers = files.filter(({ path }) => /^fuzz\/.*\.test\.ts$/.test(path));
  const strays = fuzzers.filter(({ text }) => !text.includes('from "./chance.ts"'));
  const message = "takes its seed and its number of examples from fuzz/chance.ts";
  return { looked: fuzzers.length, complaints: strays.map(({ path }) => ({ path, line: 0, message })) };
};

/** What follows in capitals would complain of itself: this folder is judged by its reviewers. */
const OWN_FOLDER = "test/tidy/";
const UNFINISHED = /\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))/;
const ESCAPES = /(?:oxlint|eslint)-disable|@ts-(?:ignore|nocheck|expect-error)|^\/\/\/\s*<reference/;
const ABBREVIATIONS = /\b(?:idx|msg|cfg|ctx|ents)\b|[a-z](?:Idx|Msg|Cfg|Ctx)(?![a-z])/;

export const namesIssueOfUnfinished = eachLine((line, file) => {
  const found = UNFINISHED.exec(line);
  if (found === null || file.path.startsWith(OWN_FOLDER)) return null;
  return `says ${found[1]} without an issue: write ${found[1]}(#N)`;
});

export const hasNoEscape = eachLine((line, file) => {
  const found = ESCAPES.exec(line);
  if (found === null || file.path.startsWith(OWN_FOLDER)) return null;
  return `turns a fence off (${found[0].trim()}): change the rule, or the code`;
});

export const usesWholeWords = eachLine((line, file) => {
  const found = ABBREVIATIONS.exec(line);
  if (found === null || file.path.startsWith(OWN_FOLDER)) return null;
  return `says "${found[0]}": whole words`;
});
