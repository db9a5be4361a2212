/**
 * The demo's three processes: `quorumlite start`, each with a directory and a port of its own. They are real
 * processes, are killed as the system kills, and say what happens to them in lines of JSON.
 */
import { type ChildProcess, spawn } from "node:child_process";
import net from "node:net";
import path from "node:path";
import readline from "node:readline";
import type { NodeStatus } from "./node.ts";
import { pause } from "./demo-ledger.ts";

/** What `quorumlite start --json` prints, as far as it is looked at here. */
type Line =
  | ({ readonly type: "Status" } & NodeStatus)
  | { readonly type: "LeadershipChanged"; readonly term: number; readonly leader: string | null }
  | { readonly type: "Listening" };

export interface DemoEvents {
  /** A node says that it leads. */
  leads(node: string, term: number): void;
  /** A process ended that nobody had killed. */
  died(node: string, detail: string): void;
}

interface Member {
  readonly id: string;
  readonly port: number;
  process: ChildProcess | null;
  status: NodeStatus | null;
  /** It listens, and hears signals. */
  isReady: boolean;
  /** The last lines that it wrote to stderr. */
  complaint: string;
}

export class DemoCluster {
  readonly addresses: readonly string[];
  private readonly directory: string;
  private readonly members: readonly Member[];
  private readonly events: DemoEvents;
  /** As the latest term has it; null: nobody yet. */
  private leading: { readonly node: string; readonly term: number } | null = null;

  private constructor(directory: string, ports: readonly number[], events: DemoEvents) {
    this.directory = directory;
    this.events = events;
    this.members = ports.map((port, at) => ({ id: "abc"[at]!, port, process: null, isReady: false, status: null, complaint: "" }));
    this.addresses = ports.map((port) => `127.0.0.1:${port}`);
  }

  static async create(directory: string, events: DemoEvents): Promise<DemoCluster> {
    return new DemoCluster(directory, await freePorts(3), events);
  }

  get ids(): readonly string[] {
    return this.members.map(({ id }) => id);
  }

  get leader(): string | null {
    return this.leading?.node ?? null;
  }

  isAlive(id: string): boolean {
    return this.member(id).process !== null;
  }

  portOf(id: string): number {
    return this.member(id).port;
  }

  start(id: string): void {
    const member = this.member(id);
    const cluster = this.members.map((one) => `${one.id}=127.0.0.1:${one.port}`).join(",");
    const program = path.join(import.meta.dirname, "quorumlite.js");
    const options = ["--directory", path.join(this.directory, id), "--id", id, "--cluster", cluster, "--json"];
    const child = spawn(process.execPath, [program, "start", ...options], { stdio: ["ignore", "pipe", "pipe"] });
    member.process = child;
    member.isReady = false;
    member.complaint = "";
    child.stderr.on("data", (bytes: Buffer) => (member.complaint = (member.complaint + bytes.toString()).slice(-2000)));
    readline.createInterface({ input: child.stdout }).on("line", (line) => this.heard(member, JSON.parse(line) as Line));
    child.on("exit", (code, signal) => {
      // One that was killed has been taken out before.
      if (member.process !== child) return;
      member.process = null;
      this.events.died(id, `exit code ${code ?? signal}. ${member.complaint}`);
    });
  }

  /** SIGKILL; resolves when the process is no more. */
  async kill(id: string): Promise<void> {
    const member = this.member(id);
    const child = member.process;
    if (child === null) return;
    member.process = null;
    member.status = null;
    if (this.leading?.node === id) this.leading = null;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async killAll(): Promise<void> {
    await Promise.all(this.members.map(({ id }) => this.kill(id)));
  }

  /** Waits until each log has ended at the same entry, which each node has applied. False: it took too long. */
  async converged(patienceMs: number): Promise<boolean> {
    const until = performance.now() + patienceMs;
    while (performance.now() < until) {
      for (const member of this.members) {
        member.status = null;
        if (member.isReady) member.process?.kill("SIGUSR2");
      }
      await pause(150);
      const states = this.members.map(({ status }) => status);
      const ends = new Set(states.map((status) => (status === null ? 0 : status.lastIndex)));
      const applied = states.every((status) => status !== null && status.appliedIndex === status.lastIndex);
      if (ends.size === 1 && !ends.has(0) && applied) return true;
    }
    return false;
  }

  private heard(member: Member, line: Line): void {
    if (line.type === "Listening") member.isReady = true;
    if (line.type === "Status") member.status = line;
    if (line.type !== "LeadershipChanged" || line.leader !== member.id) return;
    if (member.process === null || line.term <= (this.leading?.term ?? 0)) return;
    this.leading = { node: member.id, term: line.term };
    this.events.leads(member.id, line.term);
  }

  private member(id: string): Member {
    return this.members.find((member) => member.id === id)!;
  }
}

/** Ports that nobody listens on now. Another program might take one before we do; then a node says so. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => net.createServer());
  const ports = await Promise.all(
    servers.map((server) => new Promise<number>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve((server.address() as net.AddressInfo).port));
    })),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
