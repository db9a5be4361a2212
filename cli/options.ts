/**
 * The options of open() and connect(), judged before anything is touched: an option that is missing, unknown, of the
 * wrong type or at odds with another is named, with its value and with what is expected.
 */
import { MAX_MEMBERS } from "../core/raft/configuration.ts";
import type { RoleTargets } from "../core/raft/roles.ts";
import { compareNodeIds, isNodeId, type NodeId } from "../core/types.ts";
import { formatAddress, parseAddress, sameAddress, type Address } from "../io/address.ts";
import { OpenError } from "./errors.ts";
import type { LifeEvent } from "./lives.ts";

export interface OpenOptions {
  /** Where this node keeps its data; made if it is missing. One node at a time. */
  readonly directory: string;
  /** This node's name in `cluster`, kept for life: `[A-Za-z0-9][A-Za-z0-9_.-]{0,62}`. "node" if it is alone. */
  readonly id?: string;
  /** Where this node listens for the others and for clients: "host:port". Its entry in `cluster` unless told. */
  readonly address?: string;
  /** All founding nodes, this one included, with their addresses; the same on each. Left out: the node is alone. */
  readonly cluster?: Readonly<Record<string, string>>;
  /**
   * Instead of `cluster`: nodes of a running cluster, one or more, with their addresses, of which this one asks to be
   * let in. It is in once somebody calls `addMember` for it there. Only looked at while the directory is empty.
   */
  readonly join?: Readonly<Record<string, string>>;
  /**
   * How many members shall vote (an odd number), and how many others shall stand by: whoever leads then gives and
   * takes roles by itself, when nodes die, come back, join or stop. The same on each node. Left out: only you do.
   */
  readonly roles?: { readonly voters: number; readonly standbys: number };
  /** How long a call may take, in milliseconds: 5,000 unless told. */
  readonly callTimeoutMs?: number;
  /** Told what happens, for logs. Nothing depends on it. */
  readonly onEvent?: (event: NodeEvent) => void;
}

/** What happens to a node, for logs. */
export type NodeEvent = LifeEvent;

/** The name of a node that was given none. */
export const ONLY_NODE = "node" as NodeId;
const DEFAULT_CALL_TIMEOUT_MS = 5000;
const OPEN_OPTIONS: readonly (keyof OpenOptions)[] = [
  "directory", "id", "address", "cluster", "join", "roles", "callTimeoutMs", "onEvent",
];
const CONNECT_OPTIONS = ["callTimeoutMs"];

export interface CheckedOptions {
  readonly directory: string;
  readonly id: NodeId;
  /** null: nobody calls this node. */
  readonly address: Address | null;
  /** Sorted. The founding nodes, this one included; or those that it asks to be let in, without it. */
  readonly nodes: readonly NodeId[];
  /** Where others are, as far as the options say. */
  readonly peers: ReadonlyMap<NodeId, Address>;
  /** null: roles are the operator's affair alone. */
  readonly roles: RoleTargets | null;
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
  if (options["join"] !== undefined) checkJoining(options);
  const cluster = checkNodes("cluster", options["cluster"]);
  const join = checkNodes("join", options["join"]);
  const id = checkId(options["id"], cluster, join);
  const address = checkOwnAddress(options["address"], id, cluster);
  if (join.size > 0) checkReachable(id, address, join);
  const others = [...cluster, ...join].filter(([node]) => node !== id);
  return {
    directory, id, address, peers: new Map(others),
    nodes: join.size > 0 ? others.map(([node]) => node) : cluster.size > 0 ? [...cluster.keys()] : [id],
    roles: checkRoles(options["roles"]),
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

/** Empty: left out. */
function checkNodes(option: "cluster" | "join", given: unknown): Map<NodeId, Address> {
  if (given === undefined) return new Map();
  if (typeof given !== "object" || given === null || Array.isArray(given) || Object.keys(given).length === 0) {
    const example = '{ a: "127.0.0.1:7001", b: "127.0.0.1:7002", c: "127.0.0.1:7003" }';
    throw invalid(option, `${option} is ${show(given)}: pass each node's id with its address, as ${example}`);
  }
  const cluster = new Map<NodeId, Address>();
  const taken = new Map<string, string>();
  const entries = Object.entries(given as Record<string, unknown>);
  for (const [id, text] of entries.sort(([a], [b]) => compareNodeIds(a as NodeId, b as NodeId))) {
    if (!isNodeId(id)) throw invalid(option, `${option} names a node ${show(id)}: ${ID_RULE}`);
    const place = `${option}.${id}`;
    const address = checkAddress(place, text);
    if (address.port === 0) {
      throw invalid(place, `${place} is ${show(text)}: the other nodes must know the port`);
    }
    const other = taken.get(formatAddress(address));
    if (other !== undefined) {
      throw invalid(place, `${option} gives ${show(text)} to both ${other} and ${id}: each node has its own`);
    }
    taken.set(formatAddress(address), id);
    cluster.set(id, address);
  }
  return cluster;
}

export const ID_RULE = "an id has 1 to 63 letters, digits and _.-, and starts with a letter or digit";

function checkId(
  given: unknown, cluster: ReadonlyMap<NodeId, Address>, join: ReadonlyMap<NodeId, Address>,
): NodeId {
  const nodes = [...cluster.keys()];
  if (given === undefined) {
    if (join.size > 0) throw invalid("id", "id is missing: give the new node a name of its own");
    if (cluster.size === 0) return ONLY_NODE;
    throw invalid("id", `id is missing: say which node of the cluster (${nodes.join(", ")}) this is`);
  }
  if (typeof given !== "string" || !isNodeId(given)) throw invalid("id", `id is ${show(given)}: ${ID_RULE}`);
  if (cluster.size > 0 && !cluster.has(given)) {
    throw invalid("id", `id is ${show(given)}, which cluster does not list: it lists ${nodes.join(", ")}`);
  }
  if (join.size === 1 && join.has(given)) {
    throw invalid("join", `join lists ${show(given)} only, which is this node: list one that is in the cluster`);
  }
  return given;
}

function checkJoining({ cluster }: Record<string, unknown>): void {
  if (cluster === undefined) return;
  throw invalid("join", "cluster founds a cluster, join asks to be let into one: pass one of the two");
}

/** Who joins is called at the address that it says: it has to be one. */
function checkReachable(id: NodeId, address: Address | null, join: ReadonlyMap<NodeId, Address>): void {
  if (address === null) throw invalid("address", "address is missing: say where the other nodes reach this one");
  const taken = [...join].find(([node, there]) => node !== id && sameAddress(there, address));
  if (taken !== undefined) {
    const shown = `address is "${formatAddress(address)}", and join.${taken[0]} is the same`;
    throw invalid("address", `${shown}: each node has its own`);
  }
  const isAny = ["0.0.0.0", "::"].includes(address.host);
  if (!isAny && address.port !== 0) return;
  const rule = "the other nodes call this one there: pass a host and a port that they can reach";
  throw invalid("address", `address is "${formatAddress(address)}", with join: ${rule}`);
}

function checkRoles(given: unknown): RoleTargets | null {
  if (given === undefined) return null;
  const { voters, standbys } = checkNames("roles", given, ["voters", "standbys"]);
  const isCount = (count: unknown): count is number => Number.isSafeInteger(count) && Number(count) >= 0;
  if (!isCount(voters) || voters % 2 === 0 || voters > MAX_MEMBERS) {
    const rule = `pass an odd number up to ${MAX_MEMBERS}, as 3 or 5`;
    throw invalid("roles.voters", `roles.voters is ${show(voters)}: ${rule}`);
  }
  if (!isCount(standbys) || standbys > MAX_MEMBERS) {
    const rule = `pass a whole number up to ${MAX_MEMBERS}, 0 for none`;
    throw invalid("roles.standbys", `roles.standbys is ${show(standbys)}: ${rule}`);
  }
  return { voters, standbys };
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
export function show(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  const text = typeof value === "string" || (typeof value === "object" && value !== null)
    ? JSON.stringify(value) : `${String(value)} (${typeof value})`;
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
