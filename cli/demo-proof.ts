/**
 * The end of the demo, in a process of its own, with all others dead: what is on the three disks?
 *
 *     node demo-proof.js LEDGER DIRECTORY     (DIRECTORY holds a/, b/ and c/; the databases are written beside them)
 *
 * Which entries count? Whatever all three logs hold: it is on every disk, so whoever were to lead next would have it.
 * This is found by comparing the logs, not by asking anybody; an acknowledged insert that stood only in one log,
 * beyond the part that all share, would be missing below, and the proof would fail.
 *
 * Each log is replayed, behind its snapshot, page by page and without any engine, into an ordinary file; from there on
 * only an unmodified sql.js is used. Exit code 0: everything holds. 1: something does not.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import type { OfflineMember } from "../core/storage/directory-reading.ts";
import type { EntryTable } from "../core/storage/entry-table.ts";
import type { LogIndex, NodeId, Term } from "../core/types.ts";
import type { Ledger } from "./demo-ledger.ts";
import { exportDatabase } from "./export.ts";
import { OfflineDirectory } from "./offline-directory.ts";

/** What of sql.js is used here, through its documented interface. */
interface PlainSqlJs {
  readonly Database: new (bytes: Uint8Array) => PlainDatabase;
}
interface PlainDatabase {
  exec(sql: string): readonly { readonly values: readonly (readonly unknown[])[] }[];
  close(): void;
}

export interface Finding {
  readonly holds: boolean;
  readonly text: string;
}

const NODES = ["a", "b", "c"] as NodeId[];

/** Of which term each entry of a log is. */
type Terms = Pick<EntryTable, "base" | "last" | "runs">;

/**
 * The last entry that all logs have in common: up to there they are the same, by Raft's Log Matching. 0: one ends
 * before another begins.
 */
export function commonPrefix(logs: readonly Terms[]): LogIndex {
  let index = Math.min(...logs.map((log) => log.last.index));
  const base = Math.max(...logs.map((log) => log.base.index));
  while (index >= base && new Set(logs.map((log) => termAt(log, index))).size > 1) index--;
  return (index < base ? 0 : index) as LogIndex;
}

function termAt(log: Terms, index: number): Term {
  let { term } = log.base;
  for (const run of log.runs) if (run.index <= index) term = run.term;
  return term;
}

/** Writes DIRECTORY/a.db and so on. */
async function exportDatabases(directory: string, report: (finding: Finding) => void): Promise<string[]> {
  const members: OfflineMember[] = [];
  for (const node of NODES) {
    const look = (offline: OfflineDirectory): Promise<OfflineMember> => offline.member("this is a bug");
    members.push(await OfflineDirectory.read(path.join(directory, node), look));
  }
  const last = commonPrefix(members.map(({ log: { entries } }) => entries));
  members.forEach(({ last: { index }, term, tornBytes }, at) => {
    const torn = tornBytes === 0 ? "" : `, ${tornBytes} bytes of a torn write behind it`;
    const text = `${NODES[at]}: the log ends at entry ${index}, in term ${term.hardState.currentTerm}${torn}`;
    report({ holds: true, text });
  });
  const beyond = members.map((member) => member.last.index - last);
  report({ holds: last > 0, text: `the three logs agree up to entry ${last}; beyond that: ${beyond.join(", ")}` });
  const files: string[] = [];
  for (const [at, { pages }] of members.entries()) {
    const node = NODES[at] as NodeId;
    // What a snapshot has was committed: no log may lack it.
    const through = Math.max(last, pages.snapshot?.entry.index ?? 0);
    if (through > last) report({ holds: false, text: `${node}: its snapshot has more than all logs` });
    const file = path.join(directory, `${node}.db`);
    await exportDatabase(path.join(directory, node), file, { through, overwrite: true });
    files.push(file);
  }
  return files;
}

/** Looks at each file with an sql.js of its own, which knows nothing of us. */
async function examine(files: readonly string[], ledger: Ledger, report: (finding: Finding) => void): Promise<void> {
  const require = createRequire(import.meta.url);
  const initSqlJs = require("sql.js") as () => Promise<PlainSqlJs>;
  const acknowledged = new Set(ledger.acknowledged);
  const refused = new Set(ledger.refused);
  const unknown = new Set(ledger.unknown);
  for (const [at, file] of files.entries()) {
    const { Database } = await initSqlJs();
    const database = new Database(fs.readFileSync(file));
    const integrity = database.exec("PRAGMA integrity_check")[0]?.values[0]?.[0];
    const ids = new Set((database.exec("SELECT id FROM journal")[0]?.values ?? []).map(([id]) => Number(id)));
    database.close();
    const count = (asked: ReadonlySet<number>): number => [...asked].filter((id) => ids.has(id)).length;
    const found = count(acknowledged);
    const wrong = count(refused);
    const strangers = [...ids].filter((id) => !acknowledged.has(id) && !refused.has(id) && !unknown.has(id)).length;
    const outcome = unknown.size === 0 ? "" : `, ${count(unknown)} of ${unknown.size} unanswered`;
    report({
      holds: integrity === "ok" && found === acknowledged.size && wrong === 0 && strangers === 0,
      text: `${NODES[at]}: integrity_check ${String(integrity)}; inserts: ${found} of ${acknowledged.size} ` +
        `acknowledged, ${wrong} of ${refused.size} refused${outcome}`,
    });
  }
  report({ holds: acknowledged.size > 0, text: `${acknowledged.size} inserts had been acknowledged` });
  const digests = files.map((file) => createHash("sha256").update(fs.readFileSync(file)).digest("hex"));
  const different = [...new Set(digests)].map((digest) => digest.slice(0, 16));
  const { size } = fs.statSync(files[0]!);
  const text = `a.db, b.db and c.db: ${size} bytes, SHA-256 ${different.join(", ")}`;
  report({ holds: different.length === 1, text });
}

async function main(ledgerFile: string | undefined, directory: string | undefined): Promise<number> {
  if (ledgerFile === undefined || directory === undefined) {
    console.error("demo-proof LEDGER DIRECTORY");
    return 64;
  }
  let allHold = true;
  const report = (finding: Finding): void => {
    allHold &&= finding.holds;
    console.log(JSON.stringify(finding));
  };
  const ledger = JSON.parse(fs.readFileSync(ledgerFile, "utf8")) as Ledger;
  await examine(await exportDatabases(directory, report), ledger, report);
  return allHold ? 0 : 1;
}

process.exitCode = await main(process.argv[2], process.argv[3]);
