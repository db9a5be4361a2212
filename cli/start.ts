/**
 * `quorumlite start`: one node as a process of its own, for applications that reach it by connect(). It prints a line
 * per event and runs until SIGTERM or SIGINT, which close it in good order; a second signal ends it at once.
 */
import { parseArgs } from "node:util";
import { unreachable } from "../core/invariant.ts";
import type { HaltReason } from "../core/replica/boundary.ts";
import { describeEvent } from "./event-text.ts";
import { OpenError, type OpenErrorCode } from "./errors.ts";
import { EXIT } from "./exit-code.ts";
import type { Node } from "./node.ts";
import { open } from "./open.ts";
import type { NodeEvent, OpenOptions } from "./options.ts";

export const START_USAGE = `quorumlite start --directory DIR [--id ID --cluster ID=HOST:PORT,...] [--address HOST:PORT]
quorumlite start --directory DIR --id ID --address HOST:PORT --join ID=HOST:PORT,...

  Runs one node of a cluster, until SIGTERM or SIGINT.

  --directory DIR   where the node keeps its data; made if it is missing
  --id ID           this node's name in the cluster; kept for life
  --cluster LIST    all nodes with their addresses, the same on each: a=127.0.0.1:7001,b=127.0.0.1:7002,...
                    left out: the node is a cluster of its own
  --join LIST       instead: nodes of a running cluster, of which this new one asks to be let in
                    (an application of one of them then calls addMember)
  --roles V+S       V voters (odd) and S standbys: whoever leads gives and takes roles by itself
  --address ADDR    where to listen; the node's entry in --cluster unless told
  --json            one JSON object per event instead of a line of text

  SIGUSR2 prints the node's status.

  Exit codes: 0 closed by a signal · 64 wrong options · 65 the directory's data cannot be used
              69 address or directory in use or unusable · 70 a bug · 74 the disk failed`;

const EXIT_CODES: Readonly<Record<OpenErrorCode, number>> = {
  InvalidOption: EXIT.usage,
  DirectoryInUse: EXIT.unavailable,
  DirectoryUnusable: EXIT.unavailable,
  AddressInUse: EXIT.unavailable,
  AddressUnusable: EXIT.unavailable,
  WrongDirectory: EXIT.data,
  WrongVersion: EXIT.data,
  CorruptData: EXIT.data,
  DiskFailed: EXIT.disk,
};

/** Resolves to the exit code when the node has ended. */
export async function start(args: readonly string[]): Promise<number> {
  const parsed = parseStart(args);
  if (typeof parsed === "string") return usageError(parsed);
  const { options, json } = parsed;
  let finish!: (code: number) => void;
  const ended = new Promise<number>((resolve) => (finish = resolve));
  const print = printer(options.id ?? "node", options.directory, json);
  const onEvent = (event: NodeEvent): void => {
    print(event);
    if (event.type === "Halted") finish(exitCodeOf(event.reason));
  };
  let node: Node | null = null;
  // Before anything else: unheard, this signal ends a process. Windows has none.
  if (process.platform !== "win32") process.on("SIGUSR2", () => node !== null && printStatus(node, json));
  try {
    node = await open({ ...options, onEvent });
  } catch (error) {
    if (!(error instanceof OpenError)) throw error;
    console.error(`quorumlite: ${error.message}`);
    return EXIT_CODES[error.code];
  }
  const opened = node;
  const close = (): void => {
    process.removeListener("SIGTERM", close).removeListener("SIGINT", close);
    void opened.close().then(() => finish(EXIT.ok));
  };
  process.on("SIGTERM", close).on("SIGINT", close);
  const code = await ended;
  await opened.close();
  return code;
}

interface ParsedStart {
  readonly options: OpenOptions;
  readonly json: boolean;
}

/** A string: what is wrong. */
function parseStart(args: readonly string[]): ParsedStart | string {
  let values: { [name: string]: string | boolean | undefined };
  try {
    const options = {
      directory: { type: "string" }, id: { type: "string" }, address: { type: "string" },
      cluster: { type: "string" }, join: { type: "string" }, roles: { type: "string" }, json: { type: "boolean" },
    } as const;
    ({ values } = parseArgs({ args: [...args], options, strict: true }));
  } catch (error) {
    return (error as Error).message;
  }
  const { directory, json, cluster, join, roles, ...others } = values;
  if (typeof directory !== "string") return "--directory is missing: say where the node keeps its data";
  if (cluster === undefined && others.address === undefined) {
    return "--address is missing: without it, or --cluster, nobody reaches the node";
  }
  const lists: Record<string, Record<string, string>> = {};
  for (const [name, text] of [["cluster", cluster], ["join", join]] as const) {
    if (text === undefined) continue;
    const list = parseNodes(name, String(text));
    if (typeof list === "string") return list;
    lists[name] = list;
  }
  const counts = roles === undefined ? null : /^(\d+)\+(\d+)$/.exec(String(roles));
  if (roles !== undefined && counts === null) return `--roles is "${roles}": write VOTERS+STANDBYS, as 3+2`;
  const targets = counts === null ? {} : { roles: { voters: Number(counts[1]), standbys: Number(counts[2]) } };
  const options: OpenOptions = { directory, ...others, ...lists, ...targets };
  return { options, json: json === true };
}

function parseNodes(option: string, text: string): Record<string, string> | string {
  const addresses: Record<string, string> = {};
  for (const pair of text.split(",")) {
    const [id, address, ...rest] = pair.split("=");
    if (!id || !address || rest.length > 0) return `--${option} has "${pair}": write ID=HOST:PORT for each node`;
    if (addresses[id] !== undefined) return `--${option} names ${id} twice`;
    addresses[id] = address;
  }
  return addresses;
}

function usageError(message: string): number {
  console.error(`quorumlite start: ${message}\n\n${START_USAGE}`);
  return EXIT.usage;
}

function printStatus(node: Node, json: boolean): void {
  const time = new Date().toISOString();
  const status = node.status();
  if (json) return console.log(JSON.stringify({ time, node: status.id, type: "Status", ...status }));
  const { id, term, leader, lastIndex, commitIndex, appliedIndex, storage, peers } = status;
  const reached = peers.map((peer) => `${peer.id} ${peer.connected ? "connected" : "not connected"}`).join(", ");
  const indexes = `last entry ${lastIndex}, committed ${commitIndex}, applied ${appliedIndex}`;
  const trouble = `${storage.hasSpace ? "" : "; no space"}${storage.lost === null ? "" : "; refilling what was lost"}`;
  const known = `term ${term}, leader ${leader ?? "unknown"}; ${indexes}${trouble}`;
  console.log(`${time} ${id} ${known}${reached && `; ${reached}`}`);
}

function exitCodeOf(reason: HaltReason): number {
  switch (reason.type) {
    case "divergence":
      return EXIT.bug;
    case "storage":
      return reason.fault.type === "diskFailed" ? EXIT.disk : EXIT.data;
    case "memory":
    case "quarantined":
      return EXIT.data;
    case "disk":
      return EXIT.disk;
    default:
      return unreachable(reason);
  }
}

const REPEATED: readonly NodeEvent["type"][] = ["PeerRefusedUs", "MessageRejected"];

/** What repeats itself word for word, as a peer's refusal does, is printed once, and again after a new connection. */
function printer(id: string, directory: string, json: boolean): (event: NodeEvent) => void {
  const last = new Map<string, string>();
  return (event) => {
    const text = describeEvent(event, id, directory);
    const node = "peer" in event ? event.peer : "from" in event ? event.from : "";
    const topic = `${event.type} ${node}`;
    if (event.type === "PeerConnected") for (const type of REPEATED) last.delete(`${type} ${node}`);
    if (REPEATED.includes(event.type) && last.get(topic) === text) return;
    last.set(topic, text);
    const time = new Date().toISOString();
    console.log(json ? JSON.stringify({ time, node: id, ...event, text }) : `${time} ${id} ${text}`);
  };
}
