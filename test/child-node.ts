/**
 * Nodes in a process of their own, to be killed, starved or robbed of their rights, and the table that they write to.
 * As a program it takes one command a line, and answers by lines of JSON; ChildNode is the side of the test.
 *
 * The table `journal` has one row an insert, with bytes that follow from its id, and `total` counts them in the same
 * transaction: so a look at both says whether transactions are whole.
 */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { type Database, type Node, OpenError, type OpenOptions, QuorumliteError } from "../cli/index.ts";
import { describeEvent } from "../cli/event-text.ts";
import { openTuned } from "../cli/open.ts";
import { SMALL_LIMITS } from "./small-limits.ts";

export const SCHEMA =
  "CREATE TABLE IF NOT EXISTS journal (id INTEGER PRIMARY KEY, bytes BLOB);" +
  "CREATE TABLE IF NOT EXISTS total (count INTEGER);" +
  "INSERT INTO total SELECT 0 WHERE NOT EXISTS (SELECT * FROM total);";

/** From 1 to 6,000 bytes: pages that are shared, and rows that take two. */
export function bytesOf(id: number): Uint8Array {
  return new Uint8Array(1 + ((id * 2_654_435_761) % 6000)).fill(id % 256);
}

export async function insert(database: Database, id: number): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.run("INSERT INTO journal VALUES (?, ?)", [id, bytesOf(id)]);
    await tx.run("UPDATE total SET count = count + 1");
  });
}

/** All ids, ascending. Throws if a row is not what was inserted, or a transaction is there in part. */
export async function idsIn(database: Database): Promise<number[]> {
  const rows = await database.all<{ id: number; bytes: Uint8Array }>("SELECT id, bytes FROM journal ORDER BY id");
  for (const { id, bytes } of rows) {
    if (Buffer.compare(bytes, bytesOf(id)) !== 0) throw new Error(`row ${id} has other bytes than were inserted`);
  }
  const total = await database.get<{ count: number }>("SELECT count FROM total");
  if (total?.count !== rows.length) throw new Error(`${rows.length} rows, of which ${total?.count} were counted`);
  return rows.map(({ id }) => id);
}

type Command = { readonly number?: number } & (
  | { readonly do: "open"; readonly nodes: readonly OpenOptions[] }
  /** Each number from `from` on, by so many at a time; without `count` until the end. */
  | { readonly do: "insert"; readonly from: number; readonly count: number | null; readonly atOnce: number }
  | { readonly do: "ids" }
  /** Takes all descriptors that are left, or gives them back. */
  | { readonly do: "exhaust" }
  | { readonly do: "release" }
  /** Gives up root's rights for those of nobody. */
  | { readonly do: "unprivileged" }
  | { readonly do: "close" }
);

export type Line =
  /** Of the command of that number. */
  | { readonly type: "done"; readonly number: number; readonly ids?: readonly number[] }
  | { readonly type: "failed"; readonly number: number; readonly code: string; readonly message: string }
  | { readonly type: "acknowledged"; readonly id: number }
  | { readonly type: "refused"; readonly id: number; readonly code: string; readonly message: string }
  | { readonly type: "event"; readonly name: string; readonly text: string };

const NOBODY = 65534;

class Program {
  private nodes: Node[] = [];
  private readonly taken: number[] = [];

  async perform(command: Command): Promise<readonly number[] | void> {
    switch (command.do) {
      case "open":
        this.nodes = [];
        for (const options of command.nodes) {
          const { id = "node", directory } = options;
          const onEvent: OpenOptions["onEvent"] = (event) =>
            say({ type: "event", name: event.type, text: describeEvent(event, id, directory) });
          this.nodes.push(await openTuned({ ...options, onEvent }, SMALL_LIMITS));
        }
        return this.database.exec(SCHEMA);
      case "insert":
        return this.insert(command.from, command.count, command.atOnce);
      case "ids":
        return idsIn(this.database);
      case "exhaust":
        for (;;) {
          try {
            this.taken.push(fs.openSync("/dev/null", "r"));
          } catch {
            return;
          }
        }
      case "release":
        for (const descriptor of this.taken.splice(0)) fs.closeSync(descriptor);
        return;
      case "unprivileged":
        process.setgid!(NOBODY);
        process.setuid!(NOBODY);
        return;
      case "close":
        await Promise.all(this.nodes.map((node) => node.close()));
    }
  }

  private get database(): Database {
    return this.nodes[0]!.database();
  }

  private async insert(from: number, count: number | null, atOnce: number): Promise<void> {
    let next = from;
    const end = count === null ? Infinity : from + count;
    const write = async (): Promise<void> => {
      while (next < end) {
        const id = next++;
        try {
          await insert(this.database, id);
          say({ type: "acknowledged", id });
        } catch (error) {
          if (!(error instanceof QuorumliteError)) throw error;
          say({ type: "refused", id, code: error.code, message: error.message });
          if (error.code === "Closed") return;
          await pause(1);
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, write));
  }
}

function say(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function main(): Promise<void> {
  const program = new Program();
  for await (const text of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(text) as Command;
    const number = command.number ?? 0;
    try {
      const ids = await program.perform(command);
      say({ type: "done", number, ...(ids === undefined ? {} : { ids: [...ids] }) });
    } catch (error) {
      if (!(error instanceof QuorumliteError) && !(error instanceof OpenError)) throw error;
      say({ type: "failed", number, code: error.code, message: error.message });
    }
  }
}

/** What the test holds of it. */
export class ChildNode {
  readonly acknowledged: number[] = [];
  /** Surely not there. */
  readonly refused: Extract<Line, { type: "refused" }>[] = [];
  readonly events: Extract<Line, { type: "event" }>[] = [];
  private readonly child: ChildProcess;
  private readonly ended: Promise<void>;
  private hasEnded = false;
  private complaint = "";
  private commands = 0;
  private answered: ((line: Line) => void) | null = null;

  /** @param openFiles the limit of the process; null: as it is */
  constructor(openFiles: number | null = null) {
    const program = path.join(import.meta.dirname, "../dist/test/child-node.js");
    const node = `exec ${JSON.stringify(process.execPath)} ${JSON.stringify(program)}`;
    const command = openFiles === null ? node : `ulimit -n ${openFiles}; ${node}`;
    this.child = spawn("/bin/sh", ["-c", command], { stdio: ["pipe", "pipe", "pipe"] });
    this.child.stderr!.on("data", (bytes: Buffer) => (this.complaint += bytes.toString()));
    readline.createInterface({ input: this.child.stdout! }).on("line", (line) => this.heard(JSON.parse(line) as Line));
    this.ended = new Promise((resolve) => this.child.on("close", () => {
      this.hasEnded = true;
      resolve();
    }));
  }

  get processId(): number {
    return this.child.pid!;
  }

  /** Gives a command; resolves to what comes of it. */
  async ask(command: Command): Promise<Line> {
    const answer = new Promise<Line>((resolve) => (this.answered = resolve));
    this.tell({ ...command, number: ++this.commands });
    return Promise.race([answer, this.ended.then(() => {
      throw new Error(`the process has ended: ${this.complaint}`);
    })]);
  }

  /** Gives a command that is not waited for. */
  tell(command: Command): void {
    this.child.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  /** Resolves once so much has happened, or when the process has ended. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.hasEnded) await pause(1);
    if (this.complaint !== "") throw new Error(this.complaint);
  }

  /** SIGKILL; resolves when it is gone and all that it said has been heard. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }

  private heard(line: Line): void {
    if (line.type === "acknowledged") this.acknowledged.push(line.id);
    else if (line.type === "refused") this.refused.push(line);
    else if (line.type === "event") this.events.push(line);
    else if (line.number === this.commands) this.answered?.(line);
  }
}

const program = process.argv[1];
if (program !== undefined && import.meta.url === pathToFileURL(program).href) await main();
