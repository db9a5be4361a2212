/**
 * The documents' rules: what a document points at exists. A link to a file that is gone, or a command that nobody can
 * run, is a lie that no reader should have to find.
 */
import { isDocument } from "./source.ts";
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
