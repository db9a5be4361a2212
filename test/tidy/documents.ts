/**
 * What documents and comments point at exists. A link to a file that is gone, or a command that nobody can run, is a
 * lie that no reader should have to find.
 */
import { isCode, isDocument } from "./source.ts";
import type { Complaint, Rule } from "./source.ts";
import { resolvePath } from "./imports.ts";

const LINK = /\]\(([^)#\s]+)(?:#[^)]*)?\)/g;
const COMMAND = /npm run ([a-z:-]+)/g;
/** A path in code marks that begins with one of our folders and names a file. */
const MENTION = /`((?:core|sim|io|cli|test|fuzz|bench|docs|tools)\/[A-Za-z0-9_/.-]+\.(?:ts|js|md))`/g;

/** @param exists every path that is there, files and folders. */
export function pointsAtWhatExists(exists: (path: string) => boolean, scripts: ReadonlySet<string>): Rule {
  return (files) => {
    const complaints: Complaint[] = [];
    let looked = 0;
    for (const file of files.filter(isDocument)) {
      for (const [at, line] of file.lines.entries()) {
        const complain = (message: string): void => void complaints.push({ path: file.path, line: at + 1, message });
        for (const [, link = ""] of line.matchAll(LINK)) {
          looked++;
          const isOurs = !/^[a-z]+:/.test(link);
          if (isOurs && !exists(resolvePath(file.path, link))) complain(`links to ${link}, which is not there`);
        }
        for (const [, path = ""] of line.matchAll(MENTION)) {
          looked++;
          if (!exists(path)) complain(`names ${path}, which is not there`);
        }
        for (const [, script = ""] of line.matchAll(COMMAND)) {
          looked++;
          if (!scripts.has(script)) complain(`names the command "npm run ${script}", which package.json lacks`);
        }
      }
    }
    return { looked, complaints };
  };
}

const COMMENT = /^\s*(?:\/?\*|\/\/)/;
/** A file of ours as comments name it: by its path, or by its name alone. */
const FILE = /(?<![A-Za-z0-9_./-])((?:[a-z0-9-]+\/)*[a-z0-9-]+(?:\.test)?\.ts)\b/g;

export const commentsNameWhatExists: Rule = (files) => {
  const paths = new Set(files.map(({ path }) => path));
  const names = new Set(files.map(({ path }) => path.slice(path.lastIndexOf("/") + 1)));
  const complaints: Complaint[] = [];
  let looked = 0;
  for (const file of files.filter(isCode)) {
    for (const [at, line] of file.lines.entries()) {
      if (!COMMENT.test(line)) continue;
      for (const [, name = ""] of line.matchAll(FILE)) {
        looked++;
        if (name.includes("/") ? existsFrom(file.path, name, paths) : names.has(name)) continue;
        complaints.push({ path: file.path, line: at + 1, message: `names ${name}, which is not there` });
      }
    }
  }
  return { looked, complaints };
};

/** By its path from the root, or from the folder of the file that names it. */
function existsFrom(path: string, name: string, paths: ReadonlySet<string>): boolean {
  return paths.has(name) || paths.has(resolvePath(path, `./${name}`));
}
