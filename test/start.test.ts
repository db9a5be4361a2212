/** The command `quorumlite`, as compiled in dist/: what it prints, how it ends, and what it refuses. */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, expect, test } from "vitest";
import { open } from "../cli/index.ts";
import { freePorts } from "../cli/process-cluster.ts";

const program = path.join(import.meta.dirname, "../dist/cli/quorumlite.js");

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Command {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when its output matches. */
  printed(pattern: RegExp): Promise<void>;
}

const ANY_PORT = "127.0.0.1:0";
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function run(...args: string[]): Command {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  closing.push(() => child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (bytes: Buffer) => (stdout += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
  const printed = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(stdout)) {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${stdout} ${stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { child, ended, printed };
}

function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "quorumlite-start-"));
  closing.push(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test.each<[string, string[], number, RegExp]>([
  ["no command", [], 64, /quorumlite start/],
  ["an unknown command", ["strat"], 64, /there is no command "strat"/],
  ["no directory", ["start"], 64, /--directory is missing/],
  ["an unknown option", ["start", "--dir", "x"], 64, /Unknown option '--dir'/],
  ["an option without its value", ["start", "--directory"], 64, /--directory/],
  [
    "a join that is none", ["start", "--directory", "x", "--address", ANY_PORT, "--join", "a"], 64,
    /--join has "a": write/,
  ],
  ["roles that are none", ["start", "--directory", "x", "--address", ANY_PORT, "--roles", "3"], 64, /as 3\+2/],
  ["an address that is missing", ["start", "--directory", "x"], 64, /--address is missing/],
  ["a cluster that is none", ["start", "--directory", "x", "--cluster", "a"], 64, /has "a": write ID=HOST:PORT/],
  ["a node named twice", ["start", "--directory", "x", "--cluster", "a=h:1,a=h:2"], 64, /names a twice/],
  ["an id that is missing", ["start", "--directory", "x", "--cluster", "a=h:1"], 64, /id is missing/],
  ["an address that is none", ["start", "--directory", "x", "--address", "7001"], 64, /address is "7001"/],
])("%s ends with its exit code and a sentence", async (_name, args, code, message) => {
  const ended = await run(...args).ended;
  expect(ended.code).toBe(code);
  expect(ended.stderr).toMatch(message);
  expect(ended.stdout).toBe("");
});

test("--help and --version are no errors", async () => {
  const [help, startHelp, version] = await Promise.all([
    run("--help").ended, run("start", "--help").ended, run("--version").ended,
  ]);
  expect(help).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("quorumlite start") });
  expect(startHelp).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("--directory DIR") });
  const manifest = fs.readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { version: expected } = JSON.parse(manifest) as { version: string };
  expect(version).toEqual({ code: 0, stderr: "", stdout: `${expected}\n` });
});

test("it prints a line per event and a status on SIGUSR2, and SIGTERM closes it in good order", async () => {
  const directory = temporaryDirectory();
  const [port] = await freePorts(1);
  const node = run("start", "--directory", directory, "--address", `127.0.0.1:${port}`);
  await node.printed(/node leads term 1\n/);
  // Asked again and again: at first the entry of the new leader is not committed yet.
  const asking = setInterval(() => node.child.kill("SIGUSR2"), 50);
  closing.push(() => clearInterval(asking));
  await node.printed(/node term 1, leader node; last entry 1, committed 1, applied 1\n/);
  clearInterval(asking);
  node.child.kill("SIGTERM");
  const { code, stdout, stderr } = await node.ended;
  expect([code, stderr]).toEqual([0, ""]);
  for (const line of stdout.trimEnd().split("\n")) expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z node .+/);
  expect(stdout).toMatch(/ node listens on 127\.0\.0\.1:\d+\n/);
  expect(stdout).toMatch(/ node closed\n$/);
});

test("with --json each line is an object", async () => {
  const node = run("start", "--directory", temporaryDirectory(), "--address", ANY_PORT, "--json");
  await node.printed(/"type":"LeadershipChanged","term":1,"leader":"node"/);
  node.child.kill("SIGINT");
  const { code, stdout } = await node.ended;
  const events = stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as { type: string; node: string });
  expect([code, events.at(-1)?.type]).toEqual([0, "Closed"]);
  expect(events.filter(({ node: name }) => name !== "node")).toEqual([]);
});

test("a directory in use by another process is named, with the process", async () => {
  const directory = temporaryDirectory();
  const node = await open({ directory });
  closing.push(() => node.close());
  const { code, stderr } = await run("start", "--directory", directory, "--address", ANY_PORT).ended;
  expect(code).toBe(69);
  expect(stderr).toContain(`directory ${directory} is in use by process ${process.pid}`);
});

test("an address in use is named", async () => {
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const node = await open({ directory: temporaryDirectory(), address });
  closing.push(() => node.close());
  const { code, stderr } = await run("start", "--directory", temporaryDirectory(), "--address", address).ended;
  expect(code).toBe(69);
  expect(stderr).toContain(`address ${address} is in use by another program`);
});

test("data that cannot be used ends it with 65, and says which file", async () => {
  const directory = temporaryDirectory();
  const node = await open({ directory });
  await node.ready();
  await node.close();
  const { code, stderr } = await run("start", "--directory", directory, "--id", "other", "--address", ANY_PORT).ended;
  expect(code).toBe(65);
  expect(stderr).toContain(`${directory}/identity`);
});

test("a node that lists another cluster than the one that it calls is told so once, and that goes on", async () => {
  const [a, b] = await freePorts(2);
  const cluster = `a=127.0.0.1:${a},b=127.0.0.1:${b}`;
  const lone = await open({ directory: temporaryDirectory(), id: "a", address: `127.0.0.1:${a}` });
  closing.push(() => lone.close());
  await lone.database().exec("CREATE TABLE t (v)");
  const stranger = run("start", "--directory", temporaryDirectory(), "--id", "b", "--cluster", cluster);
  const sentence = /b dropped a message of a \(wrongCluster\): a lists the nodes a; this node lists a, b\n/g;
  await stranger.printed(sentence);
  await lone.database().run("INSERT INTO t VALUES (1)");
  // It asks on, ten times a second.
  await new Promise((resolve) => setTimeout(resolve, 300));
  stranger.child.kill("SIGTERM");
  const { code, stdout } = await stranger.ended;
  expect([code, stdout.match(sentence)?.length]).toEqual([0, 1]);
  expect(lone.status().applicants).toMatchObject([{ id: "b", address: `127.0.0.1:${b}` }]);
});

test("a step that throws ends the process, with what led to it, and answers nobody", async () => {
  const dist = path.join(import.meta.dirname, "../dist");
  const script = `
    import { open } from "${dist}/cli/index.js";
    import { Node } from "${dist}/core/node/node.js";
    const node = await open({ directory: ${JSON.stringify(temporaryDirectory())} });
    const { step } = Node.prototype;
    Node.prototype.step = function (now, input) {
      if (input.type === "ClientReceived") throw new Error("a planted bug");
      return step.call(this, now, input);
    };
    await node.database().run("SELECT 1").finally(() => console.log("answered"));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (bytes: Buffer) => (stdout += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (stderr += bytes.toString()));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/quorumlite: a bug, please report it\.\nstate: \{"phase":"[a-z]+"/);
  expect(stderr).toMatch(/\nlast inputs: Started .*ClientReceived\n/);
  expect(stderr).toMatch(/Error: a planted bug/);
});
