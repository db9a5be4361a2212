/**
 * A node as the application sees it: a Driver (io/) that runs a core Node, the client of its own database, and what
 * can be asked about both. open.ts makes it.
 */
import { randomBytes } from "node:crypto";
import { DEFAULT_DATABASE_LIMITS } from "../core/database/boundary.ts";
import type { EngineFactory } from "../core/database/engine.ts";
import { failure } from "../core/failure.ts";
import { SEED_SIZE } from "../core/random.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMING } from "../core/raft/boundary.ts";
import type { HaltReason } from "../core/replica/boundary.ts";
import { DEFAULT_STORAGE_LIMITS } from "../core/storage/boundary.ts";
import type { NodeId } from "../core/types.ts";
import { formatAddress } from "../io/address.ts";
import { ClientDriver, type ClientDriverOptions } from "../io/client-driver.ts";
import { BEAT_MS } from "../io/connection.ts";
import { Driver, MAX_CLIENT_FRAME_BYTES, MAX_QUEUED_BYTES, type StartResult } from "../io/driver.ts";
import type { DirectoryLock } from "../io/lock.ts";
import { Database } from "./database.ts";
import { describeHalt, QuorumliteError } from "./errors.ts";
import type { CheckedOptions, NodeEvent } from "./options.ts";

/** A request without an answer for so long is repeated, and the leader looked for. */
const ATTEMPT_TIMEOUT_MS = 500;

export interface NodeStatus {
  readonly id: string;
  readonly directory: string;
  /** Where it listens, with the port that it got; null: nowhere. */
  readonly address: string | null;
  /** null: the cluster is not founded yet, since not every node of it has been seen. */
  readonly cluster: string | null;
  /** The term of office, as far as this node knows. */
  readonly term: number;
  /** The leader's id; null: none is known. */
  readonly leader: string | null;
  /** The last entry of this node's log, the last one known to be committed, and the last applied; 0: none. */
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly peers: readonly PeerStatus[];
  /** Why the node has stopped for good; null: it runs, or was closed. */
  readonly halted: string | null;
}

export interface PeerStatus {
  readonly id: string;
  readonly address: string;
  readonly connected: boolean;
  /** How often it was called. */
  readonly calls: number;
  /** Messages that could not be sent to it. */
  readonly dropped: number;
}

/** A node of a cluster, run by this process. */
export class Node {
  private readonly options: CheckedOptions;
  private readonly lock: DirectoryLock;
  private readonly driver: Driver;
  private client: ClientDriver | null = null;
  private databaseOfNode: Database | null = null;
  private address: string | null = null;
  private halted: HaltReason | null = null;
  private closing: Promise<void> | null = null;
  private readonly waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];

  /** Not called by applications: see `open`. */
  constructor(options: CheckedOptions, lock: DirectoryLock, engine: EngineFactory) {
    this.options = options;
    this.lock = lock;
    const { id, nodes: cluster, directory, address, peers } = options;
    const node = {
      id, cluster, timing: DEFAULT_TIMING, limits: DEFAULT_LIMITS, storage: DEFAULT_STORAGE_LIMITS,
      engine, database: DEFAULT_DATABASE_LIMITS, seed: randomBytes(SEED_SIZE),
    };
    this.driver = new Driver({ node, directory, address, peers }, (event) => this.onEvent(event));
  }

  /**
   * Not called by applications. Rejects with the system's error if it cannot listen; whatever goes wrong, `close` is
   * next.
   * @internal
   */
  async start(): Promise<StartResult> {
    const result = await this.driver.start();
    if (result.ok && result.address !== null) this.address = formatAddress(result.address);
    return result;
  }

  /**
   * The replicated database, the same on each node.
   *
   * @example
   * const db = node.database();
   */
  database(): Database {
    if (this.databaseOfNode !== null) return this.databaseOfNode;
    const { id, peers: addresses, callTimeoutMs } = this.options;
    const connectTo = (received: (bytes: Uint8Array) => void) => this.driver.connectLocally(received);
    const local = { endpoint: id, connect: connectTo };
    this.client = new ClientDriver({ ...clientOptions(callTimeoutMs), addresses, local });
    this.databaseOfNode = new Database(this.client);
    return this.databaseOfNode;
  }

  /**
   * Resolves when a leader is known, that is, when a majority of the nodes is there.
   *
   * @throws QuorumliteError "Closed" if the node is closed, or its disk fails, before
   * @example
   * await node.ready();
   */
  ready(): Promise<void> {
    const over = this.overReason();
    if (over !== null) return Promise.reject(over);
    if (this.driver.status().leader !== null) return Promise.resolve();
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /**
   * What this node knows of itself and the cluster, now.
   *
   * @example
   * const { leader, term, peers } = node.status();
   */
  status(): NodeStatus {
    const { id, directory } = this.options;
    const { identity, peers, ...known } = this.driver.status();
    const halted = this.halted === null ? null : describeHalt(this.halted, directory);
    return {
      ...known, id, directory, halted, address: this.address, cluster: identity?.cluster?.id ?? null,
      peers: [...peers].map(([peer, status]) => ({ id: peer, address: this.addressOf(peer), ...status })),
    };
  }

  /**
   * Waits for the calls of this node's own that are open now, then stops in good order. May be called again.
   *
   * @example
   * await node.close();
   */
  close(): Promise<void> {
    this.closing ??= this.closeOnce();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async closeOnce(): Promise<void> {
    if (this.halted === null) await this.client?.settled();
    await this.driver.close();
    this.client?.close("the node is closed");
    this.rejectWaiting();
    await this.lock.release();
  }

  private onEvent(event: NodeEvent): void {
    if (event.type === "Halted") {
      this.halted = event.reason;
      // Calls under way end with what is known of them; none can be answered any more.
      this.client?.close(describeHalt(event.reason, this.options.directory));
      this.rejectWaiting();
    }
    if (event.type === "LeadershipChanged" && event.leader !== null) {
      for (const { resolve } of this.waiting.splice(0)) resolve();
    }
    this.tell(event);
  }

  /** An error of the application is thrown where it ends no step of ours. */
  private tell(event: NodeEvent): void {
    try {
      this.options.onEvent?.(event);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }

  private rejectWaiting(): void {
    const over = this.overReason();
    if (over !== null) for (const { reject } of this.waiting.splice(0)) reject(over);
  }

  private overReason(): QuorumliteError | null {
    if (this.halted !== null) {
      return new QuorumliteError(failure("Closed", describeHalt(this.halted, this.options.directory)));
    }
    return this.closing === null ? null : new QuorumliteError(failure("Closed", "the node is closed"));
  }

  private addressOf(peer: NodeId): string {
    return formatAddress(this.options.peers.get(peer)!);
  }
}

/** What every ClientDriver of this package is given. */
export function clientOptions(callTimeoutMs: number): Omit<ClientDriverOptions, "addresses" | "local"> {
  const limits = { maxFrameBytes: MAX_CLIENT_FRAME_BYTES, maxQueuedBytes: MAX_QUEUED_BYTES, beatMs: BEAT_MS };
  return { limits, attemptTimeoutMs: ATTEMPT_TIMEOUT_MS, callTimeoutMs, seed: randomBytes(SEED_SIZE) };
}
