/**
 * Three processes of `quorumlite start`, each with a directory and a port of its own, for the demo, the bench and the
 * end-to-end tests. They are real processes: killed as the system kills, heard of by their lines of JSON.
 */
import { type ChildProcess, spawn } from "node:child_process";
import net from "node:net";
import path from "node:path";
import readline from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import type { NodeStatus } from "./node-status.ts";

/** What `quorumlite start --json` prints, as far as it is looked at here. */
type Line =
  | ({ readonly type: "Status" } & NodeStatus)
  | { readonly type: "LeadershipChanged"; readonly term: number; readonly leader: string | null }
  | { readonly type: "Listening" };

export interface ClusterEvents {
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

export class ProcessCluster {
  readonly addresses: readonly string[];
  private readonly directory: string;
  private readonly program: string;
  private readonly members: readonly Member[];
  private readonly events: ClusterEvents;
  /** As the latest term has it; null: nobody yet. */
  private leading: { readonly node: string; readonly term: number } | null = null;

  private constructor(directory: string, program: string, ports: readonly number[], events: ClusterEvents) {
    this.directory = directory;
    this.program = program;
    this.events = events;
    this.members = ports.map((port, at) => {
      return { id: "abc"[at]!, port, process: null, isReady: false, status: null, complaint: "" };
    });
    this.addresses = ports.map((port) => `127.0.0.1:${port}`);
  }

  /** @param program the compiled cli/quorumlite.ts */
  static async create(directory: string, program: string, events: ClusterEvents): Promise<ProcessCluster> {
    return new ProcessCluster(directory, program, await freePorts(3), events);
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
    const options = ["--directory", path.join(this.directory, id), "--id", id, "--cluster", cluster, "--json"];
    const child = spawn(process.execPath, [this.program, "start", ...options], { stdio: ["ignore", "pipe", "pipe"] });
    member.process = child;
    member.isReady = false;
    member.complaint = "";
    child.stderr.on("data", (bytes: Buffer) => (member.complaint = (member.complaint + bytes.toString()).slice(-2000)));
    const lines = readline.createInterface({ input: child.stdout });
    lines.on("line", (line) => this.heard(member, JSON.parse(line) as Line));
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

  processIdOf(id: string): number | null {
    return this.member(id).process?.pid ?? null;
  }

  /**
   * Waits until each log ends at the same entry, which each node has applied, and all name the same leader. False: it
   * took too long.
   */
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
      const leaders = new Set(states.map((status) => status?.leader ?? null));
      const [leader] = leaders;
      if (ends.size > 1 || ends.has(0) || !applied || leaders.size > 1 || !leader) continue;
      this.leading = { node: leader, term: Math.max(...states.map((status) => status?.term ?? 0)) };
      return true;
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
export async function freePorts(count: number): Promise<number[]> {
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
