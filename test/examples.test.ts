/**
 * Every @example in the doc comments of the package's public items is run. Each sees the exports of the package, and an
 * open `node` and its `db` unless it opens its own; only directories and addresses are replaced.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as quorumlite from "../cli/index.ts";
import { freePorts } from "../cli/process-cluster.ts";

const FILES = [
  "database.ts", "entry-listing.ts", "errors.ts", "export.ts", "import.ts", "inspection.ts", "membership-error.ts",
  "node.ts", "open.ts", "operator-error.ts", "quorum-recovery.ts",
];

interface Example {
  readonly name: string;
  readonly code: string;
}

function examplesOf(file: string): Example[] {
  const source = fs.readFileSync(new URL(`../cli/${file}`, import.meta.url), "utf8");
  const comments = source.matchAll(/\/\*\*(?:(?!\*\/)[\s\S])*?@example\n([\s\S]*?)\*\/\s*(.*)/g);
  return [...comments].map(([, body, item]) => {
    const code = body!.split("\n").map((line) => line.replace(/^\s*\* ?/, "")).join("\n");
    return { name: `${file}: ${item!.trim()}`, code };
  });
}

const examples = FILES.flatMap(examplesOf);
const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-examples-"));
let node: quorumlite.Node;
let address: string;

beforeAll(async () => {
  address = `127.0.0.1:${(await freePorts(1))[0]}`;
  node = await quorumlite.open({ directory: path.join(directory, "shared"), address });
});

afterAll(async () => {
  await node.close();
  fs.rmSync(directory, { recursive: true });
});

test("every public function and method has an example", () => {
  const items = examples.map(({ name }) => name).join("\n");
  for (const item of [
    "function open(", "function connect(", "class Database", "class QuorumliteError", "class OpenError",
    "class MembershipError", "addMember(", "changeMember(", "setRole(", "removeMember(", "transferLeadership(",
    "async run(", "async get<", "async all<", "async exec(", "async transaction<", "database()", "ready()", "status()",
    "close()", "function inspectDirectory(", "function verifyDirectory(", "function listEntries(",
    "function readLastEntry(", "function exportDatabase(", "function importDatabase(",
    "function recoverFromQuorumLoss(",
    "class OperatorError",
  ]) expect(items).toContain(item);
});

type AsyncFunctionMaker = new (...texts: string[]) => (...values: unknown[]) => Promise<void>;
const AsyncFunction = (async () => {}).constructor as AsyncFunctionMaker;

test.each(examples.map(({ name, code }) => [name, code]))("the example of %s runs", async (name, code) => {
  let text = code
    .replace(/^import \{.*\} from "quorumlite";$/m, "")
    .replaceAll(/"(data|app\.db|imported)"/g, (_, file: string) => {
      return JSON.stringify(path.join(directory, `${name.replace(/\W/g, "")}-${file}`));
    })
    .replace(/\["127\.0\.0\.1:7001".*\]/, JSON.stringify([address]));
  // Tables of its own, where it makes some; and the shared node stays open for the next one.
  const database = node.database();
  await database.exec("DROP TABLE IF EXISTS kv; DROP TABLE IF EXISTS a; DROP TABLE IF EXISTS b");
  if (!/CREATE TABLE kv/.test(text)) {
    await database.exec("CREATE TABLE kv (k TEXT PRIMARY KEY, v); INSERT INTO kv VALUES ('k', 1)");
  }
  if (!/open\(/.test(text)) text = text.replace("await node.close();", "");
  const own = { ...quorumlite, ...(/(const|let) db\b/.test(text) ? {} : { db: database }) };
  const given = { ...own, ...(/const node\b/.test(text) ? {} : { node }) };
  await new AsyncFunction(...Object.keys(given), text)(...Object.values(given));
});
