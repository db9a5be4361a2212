/**
 * The demo, after dqlite's of 2017: three processes hold one database; one of them is killed, again and again, while
 * rows are inserted; and in the end every insert that was acknowledged is on all three disks.
 *
 *     npm run demo -- [--seconds 24] [--seed N] [--keep]
 *
 * The seed decides who is killed and when; the rest is the machine's. Exit codes: 0 everything was proven, 1 it was
 * not, 64 wrong options, 70 the demo itself failed, 130 interrupted.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Random } from "../core/random.ts";
import { CREATE_JOURNAL, Writers } from "./demo-ledger.ts";
import type { Finding } from "./demo-proof.ts";
import { Screen } from "./demo-screen.ts";
import { EXIT } from "./exit-code.ts";
import { connect } from "./open.ts";
import { ProcessCluster } from "./process-cluster.ts";

/** Without an acknowledgement for so long something is wrong, and the demo says so instead of waiting. */
const STUCK_MS = 20_000;
const FAILED = 1;
const INTERRUPTED = 130;

interface DemoOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Leave the directories and the exported databases behind. */
  readonly keep: boolean;
}

class Demo {
  private readonly options: DemoOptions;
  private readonly random: Random;
  private readonly directory: string;
  private readonly screen: Screen;
  private cluster: ProcessCluster | null = null;
  private writers: Writers | null = null;
  private readonly failovers: number[] = [];
  private kills = 0;
  private isOver = false;

  constructor(options: DemoOptions) {
    this.options = options;
    this.random = Random.fromNumber(options.seed);
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-demo-"));
    this.screen = new Screen(() => ({
      nodes: (this.cluster?.ids ?? []).map((id) => ({ id, state: this.stateOf(id) })),
      acknowledged: this.writers?.acknowledged.length ?? 0,
    }));
  }

  /** Resolves to the exit code. */
  async run(): Promise<number> {
    const { screen, options } = this;
    screen.line(screen.paint("bold", "quorumlite: three processes, one database, and no mercy"));
    const { seed, seconds } = options;
    screen.line(screen.paint("dim", `seed ${seed}, ${seconds} s of killing, data in ${this.directory}`));
    screen.line();
    const program = path.join(import.meta.dirname, "quorumlite.js");
    const cluster = await ProcessCluster.create(this.directory, program, {
      leads: (node, term) => screen.event("★", "green", `${node} leads term ${term}`),
      died: (node, detail) => this.fail(`${node} ended by itself: ${detail}`),
    });
    this.cluster = cluster;
    for (const id of cluster.ids) {
      cluster.start(id);
      screen.event("●", "cyan", `${id} started on port ${cluster.portOf(id)}`);
    }
    // Three processes start at once, and found their cluster: on a busy machine that takes its time.
    const founder = await connect(cluster.addresses, { callTimeoutMs: 60_000 });
    await founder.exec(CREATE_JOURNAL);
    await founder.close();
    const database = await connect(cluster.addresses, { callTimeoutMs: 10_000 });
    const writers = new Writers(database);
    this.writers = writers;
    writers.start();
    const watch = setInterval(() => this.watch(writers), 1000);
    try {
      await pause(1500);
      await this.killAgainAndAgain(cluster, writers);
      await this.settle(cluster, writers);
    } finally {
      clearInterval(watch);
      await database.close();
    }
    return this.prove(writers);
  }

  /** Leaves no process behind, and no file unless wanted. */
  async cleanUp(keep: boolean): Promise<void> {
    this.isOver = true;
    this.screen.close();
    await this.cluster?.killAll();
    if (keep || this.options.keep) this.screen.line(`kept: ${this.directory}`);
    else fs.rmSync(this.directory, { recursive: true, force: true });
  }

  private async killAgainAndAgain(cluster: ProcessCluster, writers: Writers): Promise<void> {
    const end = performance.now() + this.options.seconds * 1000;
    while (performance.now() < end) {
      const { leader } = cluster;
      // Half of the kills hit the leader: that is what hurts.
      const victim = leader !== null && this.random.oneIn(2)
        ? leader : this.random.pick(cluster.ids.filter((id) => id !== leader));
      const role = victim === leader ? "the leader" : "a follower";
      const count = writers.acknowledged.length;
      await cluster.kill(victim);
      this.kills++;
      this.screen.event("✗", "red", `${victim}, ${role}, was killed (SIGKILL) after ${count} acknowledged inserts`);
      const killedAt = performance.now();
      const downMs = this.random.integer(300, 1500);
      await writers.nextAcknowledgement();
      const waitedMs = Math.round(writers.lastAcknowledgedAt - killedAt);
      if (role === "the leader") {
        this.failovers.push(waitedMs);
        this.screen.event("✓", "green", `the next insert was acknowledged ${waitedMs} ms after the kill`);
      }
      await pause(Math.max(0, downMs - (performance.now() - killedAt)));
      cluster.start(victim);
      this.screen.event("●", "cyan", `${victim} started again`);
      await pause(this.random.integer(900, 2200));
    }
  }

  private async settle(cluster: ProcessCluster, writers: Writers): Promise<void> {
    await writers.stop();
    if (!(await cluster.converged(STUCK_MS))) throw new Error("the nodes did not come to the same log");
    await cluster.killAll();
    const { screen } = this;
    screen.event("✗", "red", "all three were killed with SIGKILL");
    const median = this.failovers.sort((a, b) => a - b)[Math.floor(this.failovers.length / 2)];
    const failover = median === undefined ? "" : `; failover: median ${median} ms, worst ${this.failovers.at(-1)} ms`;
    const { acknowledged, refused, unknown } = writers;
    screen.line();
    screen.line(
      `${this.kills} kills, ${this.failovers.length} of them of the leader${failover}\n` +
      `${acknowledged.length} inserts acknowledged, ${refused.length} refused, ${unknown.length} without an answer`,
    );
  }

  /** Another process looks at the disks. */
  private async prove(writers: Writers): Promise<number> {
    const { screen } = this;
    screen.close();
    screen.line();
    screen.line(screen.paint("bold", "Another process reads the three directories:"));
    const ledger = path.join(this.directory, "ledger.json");
    const { acknowledged, refused, unknown } = writers;
    fs.writeFileSync(ledger, JSON.stringify({ acknowledged, refused, unknown }));
    const program = path.join(import.meta.dirname, "demo-proof.js");
    const child = spawn(process.execPath, [program, ledger, this.directory], { stdio: ["ignore", "pipe", "inherit"] });
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
      const { holds, text } = JSON.parse(line) as Finding;
      screen.line(`  ${holds ? screen.paint("green", "✓") : screen.paint("red", "✗ NOT SO:")} ${text}`);
    });
    const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
    screen.line();
    const verdict = "Every acknowledged insert is on all three disks; the three databases are equal, byte for byte.";
    if (code === 0) screen.line(screen.paint("green", verdict));
    else screen.line(screen.paint("red", "NOT PROVEN: see above."));
    return code === 0 ? EXIT.ok : FAILED;
  }

  private stateOf(id: string): "leads" | "follows" | "dead" {
    if (this.cluster === null || !this.cluster.isAlive(id)) return "dead";
    return this.cluster.leader === id ? "leads" : "follows";
  }

  private watch(writers: Writers): void {
    const waitedMs = performance.now() - writers.lastAcknowledgedAt;
    if (writers.lastAcknowledgedAt > 0 && waitedMs > STUCK_MS) {
      this.fail(`no insert was acknowledged for ${STUCK_MS / 1000} s`);
    }
  }

  private fail(why: string): void {
    if (this.isOver) return;
    this.screen.line(this.screen.paint("red", `the demo failed: ${why}`));
    void this.cleanUp(true).then(() => process.exit(EXIT.bug));
  }
}

function parseDemo(args: readonly string[]): DemoOptions | string {
  let values: { readonly seconds?: string; readonly seed?: string; readonly keep?: boolean };
  try {
    const options = { seconds: { type: "string" }, seed: { type: "string" }, keep: { type: "boolean" } } as const;
    ({ values } = parseArgs({ args: [...args], options, strict: true }));
  } catch (error) {
    return (error as Error).message;
  }
  const seconds = Number(values.seconds ?? 24);
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  if (!(seconds >= 1 && seconds <= 3600)) return `--seconds is ${values.seconds}: pass a number from 1 to 3600`;
  if (!Number.isSafeInteger(seed)) return `--seed is ${values.seed}: pass a whole number`;
  return { seconds, seed, keep: values.keep === true };
}

const USAGE = `usage: npm run demo -- [--seconds 24] [--seed N] [--keep]

  --seconds N  how long processes are killed
  --seed N     which are killed, and when; drawn from the clock if it is not given
  --keep       leave the directories and the exported databases behind`;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(USAGE);
    return EXIT.ok;
  }
  const options = parseDemo(args);
  if (typeof options === "string") {
    console.error(`demo: ${options}\n\n${USAGE}`);
    return EXIT.usage;
  }
  const demo = new Demo(options);
  const interrupt = (): void => void demo.cleanUp(false).then(() => process.exit(INTERRUPTED));
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const code = await demo.run();
    await demo.cleanUp(code !== 0);
    return code;
  } catch (error) {
    console.error(error);
    await demo.cleanUp(true);
    return EXIT.bug;
  }
}

process.exitCode = await main(process.argv.slice(2));
