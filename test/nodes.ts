/**
 * Nodes of one process with real sockets and files, for tests: a, b, c, ... with a directory and an address each. All
 * that a test has opened is closed after it.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect } from "vitest";
import { connect, MembershipError, type Node, type OpenOptions, QuorumliteError } from "../cli/index.ts";
import type { Tuning } from "../cli/node.ts";
import { openTuned } from "../cli/open.ts";
import { freePorts } from "../cli/process-cluster.ts";

export const PATIENCE_MS = 15_000;
export const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

export function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-test-"));
  closing.push(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export async function until(condition: () => unknown, what: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`in ${PATIENCE_MS} ms it did not come about that ${what}`);
    await pause(5);
  }
}

/** Nodes a, b, c, ... with a directory and an address each. */
export class Nodes {
  readonly running = new Map<string, Node>();
  readonly addresses: ReadonlyMap<string, string>;
  private readonly directory: string;
  private readonly tuning: Tuning;

  private constructor(directory: string, tuning: Tuning, addresses: ReadonlyMap<string, string>) {
    this.directory = directory;
    this.tuning = tuning;
    this.addresses = addresses;
  }

  static async create(count: number, tuning: Tuning = {}): Promise<Nodes> {
    const directory = temporaryDirectory();
    const ports = await freePorts(count);
    const nodes = new Nodes(directory, tuning, new Map(ports.map((port, at) => ["abcdef"[at]!, `127.0.0.1:${port}`])));
    closing.push(() => Promise.all([...nodes.running.values()].map((node) => node.close())));
    return nodes;
  }

  among(...ids: string[]): Record<string, string> {
    return Object.fromEntries(ids.map((id) => [id, this.addresses.get(id)!]));
  }

  async open(id: string, options: Partial<OpenOptions>): Promise<Node> {
    const [directory, address] = [this.directoryOf(id), this.addresses.get(id)!];
    const node = await openTuned({ directory, id, address, callTimeoutMs: PATIENCE_MS, ...options }, this.tuning);
    this.running.set(id, node);
    return node;
  }

  async found(...ids: string[]): Promise<void> {
    const cluster = this.among(...ids);
    await Promise.all(ids.map((id) => this.open(id, { cluster })));
    await Promise.all(ids.map((id) => this.running.get(id)!.ready()));
  }

  async close(id: string): Promise<void> {
    const node = this.running.get(id)!;
    this.running.delete(id);
    await node.close();
  }

  directoryOf(id: string): string {
    return path.join(this.directory, id);
  }

  wipe(id: string): void {
    fs.rmSync(this.directoryOf(id), { recursive: true });
  }

  /** The one that leads the latest term. */
  async leader(): Promise<Node> {
    const find = (): Node | undefined => [...this.running.values()]
      .filter((node) => node.status().leader === node.status().id)
      .sort((a, b) => b.status().term - a.status().term)[0];
    await until(find, "a node leads");
    return find()!;
  }

  /** Asks whoever leads, and asks again if leadership has moved meanwhile. */
  async ask(request: (leader: Node) => Promise<void>): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await request(await this.leader());
      } catch (error) {
        const hasMoved = error instanceof MembershipError && ["NotLeader", "NotReady"].includes(error.code);
        if (!hasMoved || performance.now() > end) throw error;
        await pause(10);
      }
    }
  }

  /** Waits until just these vote, by what the leader says. */
  async vote(...ids: string[]): Promise<void> {
    const voters = async (): Promise<string> => {
      const { members } = (await this.leader()).status();
      return members.filter(({ role }) => role === "voter").map(({ id }) => id).join();
    };
    await until(async () => (await voters()) === ids.join(), `${ids.join()} vote`);
  }

  /** Waits until every node that runs, and is sent the log, says this of the cluster: "a voter, b standby". */
  async agree(members: string): Promise<void> {
    const spares = [...members.matchAll(/(\w+) spare/g)].map(([, id]) => id);
    const nodes = [...this.running.values()].filter((node) => !spares.includes(node.status().id));
    const doAgree = (): boolean => nodes.every((node) => membersOf(node) === members);
    await until(doAgree, members).catch((error: Error) => {
      const said = nodes.map((node) => `${node.status().id} says ${membersOf(node)}`);
      throw new Error(`${error.message}: ${said.join("; ")}`);
    });
  }
}

export function membersOf(node: Node): string {
  return node.status().members.map(({ id, role }) => `${id} ${role}`).join(", ");
}

/** Inserts one number after the other, as fast as they are acknowledged. */
export class Writer {
  readonly acknowledged: number[] = [];
  /** Answers that say neither yes nor no. */
  readonly unknown: number[] = [];
  /** And what was said of those that surely are not there. */
  readonly refused = new Map<number, string>();
  private isOver = false;
  private readonly work: Promise<void>;

  constructor(nodes: Nodes) {
    this.work = this.write(nodes);
  }

  /** Waits for so many more acknowledgements. */
  async goesOn(count = 5): Promise<void> {
    const goal = this.acknowledged.length + count;
    await until(() => this.acknowledged.length >= goal, "writes are acknowledged");
  }

  /** Ends it, and demands that the table holds whatever was acknowledged. */
  async verify(nodes: Nodes): Promise<void> {
    this.isOver = true;
    await this.work;
    for (const node of nodes.running.values()) {
      const rows = await node.database().all<{ x: number }>("SELECT x FROM t ORDER BY x");
      const there = new Set(rows.map(({ x }) => x));
      expect(this.acknowledged.filter((x) => !there.has(x))).toEqual([]);
      const lies = [...this.refused].filter(([x]) => there.has(x));
      expect(lies).toEqual([]);
      expect(this.acknowledged.length + this.unknown.length).toBeGreaterThanOrEqual(there.size);
    }
  }

  private async write(nodes: Nodes): Promise<void> {
    const database = await connect([...nodes.addresses.values()], { callTimeoutMs: PATIENCE_MS });
    await database.exec("CREATE TABLE t (x INTEGER PRIMARY KEY)");
    for (let x = 1; !this.isOver; x++) {
      try {
        await database.run("INSERT INTO t VALUES (?)", [x]);
        this.acknowledged.push(x);
      } catch (error) {
        if (!(error instanceof QuorumliteError)) throw error;
        if (error.code === "OutcomeUnknown") this.unknown.push(x);
        else this.refused.set(x, `${error.code}: ${error.message}`);
      }
    }
    await database.close();
  }
}
