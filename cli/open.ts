/**
 * The composition root of the package: options are judged, the directory locked, sql.js loaded, and a Driver (io/)
 * given a Node (core/) to run. What is opened here is closed here, in the opposite order, whichever step fails.
 */
import path from "node:path";
import type { EngineFactory } from "../core/database/engine.ts";
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";
import { formatAddress } from "../io/address.ts";
import { ClientDriver } from "../io/client-driver.ts";
import { makeDirectory } from "../io/directory.ts";
import { type DirectoryLock, lockDirectory } from "../io/lock.ts";
import { isSystemError } from "../io/system-error.ts";
import { Database } from "./database.ts";
import { OpenError, openErrorOf } from "./errors.ts";
import { adviceOn } from "./fault-text.ts";
import { clientOptions, Node, type Tuning } from "./node.ts";
import { checkConnectOptions, checkOpenOptions, type CheckedOptions, type OpenOptions } from "./options.ts";
import { loadSqlJs } from "./sqljs.ts";

/** Made once a process: compiling SQLite, and seeing that it is what is expected, takes a quarter of a second. */
let engine: EngineFactory | null = null;

/**
 * Opens this process's node. It recovers its data, then listens; it is a node of the cluster as soon as the others
 * are there: calls wait for that, and `ready()` does.
 *
 * @throws OpenError that names the option, its value and what to do
 * @example
 * import { open } from "quorumlite";
 * const node = await open({ directory: "data" }); // a cluster of one
 * const db = node.database();
 * await db.exec("CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY, v)");
 * await node.close();
 */
export async function open(options: OpenOptions): Promise<Node> {
  return openTuned(options, {});
}

/** @internal */
export async function openTuned(options: OpenOptions, tuning: Tuning): Promise<Node> {
  const checked = checkOpenOptions(options);
  engine ??= sqliteEngineFactory(loadSqlJs());
  const lock = await takeDirectory(checked.directory);
  const node = new Node(checked, lock, engine, tuning);
  try {
    const result = await node.start();
    if (!result.ok) throw openErrorOf(result.reason, checked.directory);
    checkOthersAreKnown(node, checked.directory);
  } catch (error) {
    await node.close();
    throw listenError(error, checked);
  }
  return node;
}

/**
 * The database of a running cluster, from a process without a node.
 *
 * @param addresses of one or more nodes, as a list or separated by commas. The leader should be among them.
 * @throws OpenError for an address that is none. Whether a node listens there shows with the first call.
 * @example
 * import { connect } from "quorumlite";
 * const db = await connect(["127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.1:7003"]);
 * await db.all("SELECT * FROM kv");
 * await db.close();
 */
export async function connect(
  addresses: string | readonly string[], options: { readonly callTimeoutMs?: number } = {},
): Promise<Connection> {
  const checked = checkConnectOptions(addresses, options);
  return new Connection(new ClientDriver({ ...clientOptions(checked.callTimeoutMs), ...checked, local: null }));
}

/** A database reached by `connect`. */
export class Connection extends Database {
  private readonly connection: ClientDriver;

  /** Not called by applications: see `connect`. */
  constructor(driver: ClientDriver) {
    super(driver);
    this.connection = driver;
  }

  /** Ends the connection. Open calls are rejected with what is known of them. */
  async close(): Promise<void> {
    this.connection.close("the connection was closed");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function takeDirectory(directory: string): Promise<DirectoryLock> {
  const shown = path.resolve(directory);
  try {
    makeDirectory(shown);
    const result = await lockDirectory(directory);
    if (result.ok) return result.lock;
    const holder = result.holder === null ? "another process" : `process ${result.holder}`;
    const which = result.holder === process.pid ? "this very process" : holder;
    const advice = "a directory belongs to one node; close that one first, or choose another directory";
    throw new OpenError("DirectoryInUse", "directory", `directory ${shown} is in use by ${which}: ${advice}`);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const advice = adviceOn(error.code);
    const message = `directory ${shown} cannot be used: ${error.message}${advice === null ? "" : `: ${advice}`}`;
    throw new OpenError("DirectoryUnusable", "directory", message, error);
  }
}

/** Founders' addresses are written down only when the first node is let in: until then the options must say them. */
function checkOthersAreKnown(node: Node, directory: string): void {
  const { id, members } = node.status();
  const others = members.filter((member) => member.id !== id);
  if (others.length === 0 || others.some(({ address }) => address !== null)) return;
  const names = others.map((member) => member.id).join(", ");
  const message = `directory ${directory} is of a cluster with ${names}, and where they are is not written down ` +
    "in it: pass cluster with the addresses of all";
  throw new OpenError("InvalidOption", "cluster", message);
}

function listenError(error: unknown, { address }: CheckedOptions): unknown {
  if (!isSystemError(error) || address === null) return error;
  const shown = formatAddress(address);
  if (error.code === "EADDRINUSE") {
    const message = `address ${shown} is in use by another program: stop that, or choose another port`;
    return new OpenError("AddressInUse", "address", message, error);
  }
  return new OpenError("AddressUnusable", "address", `address ${shown} cannot be used: ${error.message}`, error);
}
