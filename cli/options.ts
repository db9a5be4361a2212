/**
 * The options of open() and connect(), judged before anything is touched: an option that is missing, unknown, of the
 * wrong type or at odds with another is named, with its value and with what is expected.
 */
import { compareNodeIds, isNodeId, type NodeId } from "../core/types.ts";
import { formatAddress, parseAddress, type Address } from "../io/address.ts";
import type { DriverEvent } from "../io/driver.ts";
import { OpenError } from "./errors.ts";

export interface OpenOptions {
  /** Where this node keeps its data; made if it is missing. One node at a time. */
  readonly directory: string;
  /** This node's name in `cluster`, kept for life: `[A-Za-z0-9][A-Za-z0-9_.-]{0,62}`. "node" if it is alone. */
  readonly id?: string;
  /** Where this node listens for the others and for clients: "host:port". Its entry in `cluster` unless told. */
  readonly address?: string;
  /** All nodes, this one included, with their addresses; the same on each. Left out: the node is alone. */
  readonly cluster?: Readonly<Record<string, string>>;
  /** How long a call may take, in milliseconds: 5,000 unless told. */
  readonly callTimeoutMs?: number;
  /** Told what happens, for logs. Nothing depends on it. */
  readonly onEvent?: (event: NodeEvent) => void;
}

/** What happens to a node, for logs. */
export type NodeEvent = DriverEvent;

/** The name of a node that was given none. */
const ONLY_NODE = "node" as NodeId;
const DEFAULT_CALL_TIMEOUT_MS = 5000;
const OPEN_OPTIONS: readonly (keyof OpenOptions)[] = [
  "directory", "id", "address", "cluster", "callTimeoutMs", "onEvent",
];
const CONNECT_OPTIONS = ["callTimeoutMs"];

export interface CheckedOptions {
  readonly directory: string;
  readonly id: NodeId;
  /** null: nobody calls this node. */
  readonly address: Address | null;
  /** Sorted, this node included. */
  readonly nodes: readonly NodeId[];
  readonly peers: ReadonlyMap<NodeId, Address>;
  readonly callTimeoutMs: number;
  readonly onEvent: ((event: NodeEvent) => void) | null;
}

export function checkOpenOptions(given: unknown): CheckedOptions {
  const options = checkNames("open", given, OPEN_OPTIONS);
  const { directory, onEvent } = options;
  if (directory === undefined) throw invalid("directory", "open needs a directory to keep the node's data in");
  if (typeof directory !== "string" || directory === "" || directory.includes("\0")) {
    throw invalid("directory", `directory is ${show(directory)}: pass a path`);
  }
  if (onEvent !== undefined && typeof onEvent !== "function") {
    throw invalid("onEvent", `onEvent is ${show(onEvent)}: pass a function`);
  }
  const cluster = checkCluster(options["cluster"]);
  const id = checkId(options["id"], cluster);
  const address = checkOwnAddress(options["address"], id, cluster);
  const peers = new Map([...cluster].filter(([node]) => node !== id));
  return {
    directory, id, address, peers,
    nodes: cluster.size === 0 ? [id] : [...cluster.keys()],
    callTimeoutMs: checkCallTimeout(options["callTimeoutMs"]),
    onEvent: (onEvent as ((event: NodeEvent) => void) | undefined) ?? null,
  };
}

export interface CheckedConnection {
  readonly addresses: ReadonlyMap<string, Address>;
  readonly callTimeoutMs: number;
}

export function checkConnectOptions(given: unknown, options: unknown): CheckedConnection {
  const { callTimeoutMs } = checkNames("connect", options, CONNECT_OPTIONS);
  const list: unknown = typeof given === "string" ? given.split(",") : given;
  if (!Array.isArray(list) || list.length === 0) {
    throw invalid("addresses", `addresses is ${show(given)}: pass those of one or more nodes, as ["127.0.0.1:7001"]`);
  }
  const addresses = new Map<string, Address>();
  list.forEach((one: unknown, at) => {
    const address = checkAddress(`addresses[${at}]`, one);
    addresses.set(formatAddress(address), address);
  });
  return { addresses, callTimeoutMs: checkCallTimeout(callTimeoutMs) };
}

function checkNames(caller: string, given: unknown, known: readonly string[]): Record<string, unknown> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw invalid(null, `${caller} was given ${show(given)}: pass an object of options`);
  }
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) {
      throw invalid(name, `there is no option "${name}": ${caller} takes ${known.join(", ")}`);
    }
  }
  return given as Record<string, unknown>;
}

/** Empty: the node is alone. */
function checkCluster(given: unknown): Map<NodeId, Address> {
  if (given === undefined) return new Map();
  if (typeof given !== "object" || given === null || Array.isArray(given) || Object.keys(given).length === 0) {
    const example = '{ a: "127.0.0.1:7001", b: "127.0.0.1:7002", c: "127.0.0.1:7003" }';
    throw invalid("cluster", `cluster is ${show(given)}: pass each node's id with its address, as ${example}`);
  }
  const cluster = new Map<NodeId, Address>();
  const taken = new Map<string, string>();
  const entries = Object.entries(given as Record<string, unknown>);
  for (const [id, text] of entries.sort(([a], [b]) => compareNodeIds(a as NodeId, b as NodeId))) {
    if (!isNodeId(id)) throw invalid("cluster", `cluster names a node ${show(id)}: ${ID_RULE}`);
    const address = checkAddress(`cluster.${id}`, text);
    if (address.port === 0) {
      throw invalid(`cluster.${id}`, `cluster.${id} is ${show(text)}: the other nodes must know the port`);
    }
    const other = taken.get(formatAddress(address));
    if (other !== undefined) {
      throw invalid(`cluster.${id}`, `cluster gives ${show(text)} to both ${other} and ${id}: each node has its own`);
    }
    taken.set(formatAddress(address), id);
    cluster.set(id, address);
  }
  return cluster;
}

const ID_RULE = "an id has 1 to 63 letters, digits and _.-, and starts with a letter or digit";

function checkId(given: unknown, cluster: ReadonlyMap<NodeId, Address>): NodeId {
  const nodes = [...cluster.keys()];
  if (given === undefined) {
    if (cluster.size === 0) return ONLY_NODE;
    throw invalid("id", `id is missing: say which node of the cluster (${nodes.join(", ")}) this is`);
  }
  if (typeof given !== "string" || !isNodeId(given)) throw invalid("id", `id is ${show(given)}: ${ID_RULE}`);
  if (cluster.size > 0 && !cluster.has(given)) {
    throw invalid("id", `id is ${show(given)}, which cluster does not list: it lists ${nodes.join(", ")}`);
  }
  return given;
}

function checkOwnAddress(given: unknown, id: NodeId, cluster: ReadonlyMap<NodeId, Address>): Address | null {
  const listed = cluster.get(id) ?? null;
  if (given === undefined) return listed;
  const address = checkAddress("address", given);
  if (listed !== null && formatAddress(listed) !== formatAddress(address)) {
    const rule = "the other nodes would call in vain; make them equal, or leave address out";
    throw invalid("address", `address is ${show(given)}, but cluster.${id} is "${formatAddress(listed)}": ${rule}`);
  }
  return address;
}

function checkAddress(option: string, given: unknown): Address {
  const address = typeof given === "string" ? parseAddress(given) : null;
  if (address === null) throw invalid(option, `${option} is ${show(given)}: pass "host:port", as "127.0.0.1:7001"`);
  return address;
}

function checkCallTimeout(given: unknown): number {
  if (given === undefined) return DEFAULT_CALL_TIMEOUT_MS;
  if (typeof given !== "number" || !Number.isSafeInteger(given) || given < 1) {
    throw invalid("callTimeoutMs", `callTimeoutMs is ${show(given)}: pass a whole number of milliseconds, at least 1`);
  }
  return given;
}

function invalid(option: string | null, message: string): OpenError {
  return new OpenError("InvalidOption", option, message);
}

/** A value as one would write it, at most a line of it. */
function show(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  const text = typeof value === "string" || (typeof value === "object" && value !== null)
    ? JSON.stringify(value) : `${String(value)} (${typeof value})`;
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
