/**
 * A node as the application sees it: the Driver (io/) that runs a core Node in its present life (lives.ts), the client
 * of its own database, and what can be asked about both, and of the cluster (membership.ts). open.ts makes it.
 */
import { randomBytes } from "node:crypto";
import { DEFAULT_DATABASE_LIMITS } from "../core/database/boundary.ts";
import type { EngineFactory } from "../core/database/engine.ts";
import { failure } from "../core/failure.ts";
import { SEED_SIZE } from "../core/random.ts";
import { DEFAULT_LIMITS, DEFAULT_TIMING, type RaftLimits } from "../core/raft/boundary.ts";
import type { HaltReason } from "../core/replica/boundary.ts";
import { DEFAULT_STORAGE_LIMITS, type StorageLimits } from "../core/storage/boundary.ts";
import type { NodeId } from "../core/types.ts";
import { formatAddress, type Address } from "../io/address.ts";
import { ClientDriver, type ClientDriverOptions, type LocalConnection } from "../io/client-driver.ts";
import { BEAT_MS } from "../io/connection.ts";
import { MAX_CLIENT_FRAME_BYTES, MAX_QUEUED_BYTES, type DriverOptions } from "../io/driver.ts";
import type { StartResult } from "../io/driver-status.ts";
import type { DirectoryLock } from "../io/lock.ts";
import { Database } from "./database.ts";
import { QuorumliteError } from "./errors.ts";
import { describeHalt } from "./fault-text.ts";
import { Lives } from "./lives.ts";
import type { MemberChange, NewMember, Role } from "./member-fields.ts";
import { Membership } from "./membership.ts";
import { nodeStatus, type NodeStatus } from "./node-status.ts";
import type { CheckedOptions, NodeEvent } from "./options.ts";

/** A request without an answer for so long is repeated, and the leader looked for. */
const ATTEMPT_TIMEOUT_MS = 500;

/** Limits other than the usual ones. Not for applications: tests want files that are full soon. */
export interface Tuning {
  readonly limits?: Partial<RaftLimits>;
  readonly storage?: Partial<StorageLimits>;
  /** See ReplicaOptions. */
  readonly digestEvery?: number;
}

/** A node of a cluster, run by this process. */
export class Node {
  private readonly options: CheckedOptions;
  private readonly lock: DirectoryLock;
  private readonly lives: Lives;
  private readonly membership: Membership;
  private client: ClientDriver | null = null;
  private databaseOfNode: Database | null = null;
  private address: string | null = null;
  private halted: HaltReason | null = null;
  private closing: Promise<void> | null = null;
  private readonly waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];

  /** Not called by applications: see `open`. */
  constructor(options: CheckedOptions, lock: DirectoryLock, engine: EngineFactory, tuning: Tuning = {}) {
    this.options = options;
    this.lock = lock;
    this.lives = new Lives(() => driverOptions(options, engine, tuning), (event) => this.onEvent(event));
    this.membership = new Membership(() => this.lives.driver, options);
  }

  /**
   * Not called by applications. Rejects with the system's error if it cannot listen; whatever goes wrong, `close` is
   * next.
   * @internal
   */
  async start(): Promise<StartResult> {
    const result = await this.lives.start();
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
    const { id, callTimeoutMs } = this.options;
    const connectTo = (received: (bytes: Uint8Array) => void): LocalConnection | null =>
      this.lives.living?.connectLocally(received) ?? null;
    const local = { endpoint: id, connect: connectTo };
    this.client = new ClientDriver({ ...clientOptions(callTimeoutMs), addresses: this.peerAddresses(), local });
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
    if (this.lives.driver.status().leader !== null) return Promise.resolve();
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  /**
   * What this node knows of itself and the cluster, now.
   *
   * @example
   * const { leader, term, members } = node.status();
   */
  status(): NodeStatus {
    const halted = this.halted === null ? null : describeHalt(this.halted, this.options.directory);
    return nodeStatus(this.lives.driver, this.options, this.address, halted);
  }

  /**
   * Lets a node into the cluster, or one whose directory was lost back into it. Start it first, with an empty
   * directory and the option `join`. Resolves once it has its role: a new voter has the whole log by then; until it
   * has, it is a standby. Without a role given it votes, or, where `roles` are on, gets what is missing.
   *
   * @throws MembershipError "NotLeader", naming the leader, on any other node; "NotHeard" or "NotCaughtUp" after
   * `timeoutMs`; and others
   * @example
   * await node.addMember({ id: "d", timeoutMs: 1 }).catch((error) => console.log(error.code)); // "NotHeard"
   */
  addMember(member: NewMember): Promise<void> {
    return this.membership.add(member);
  }

  /**
   * Changes what the cluster has written down of a member: its role, address, failure domain or priority.
   *
   * @throws MembershipError, as `addMember` does
   * @example
   * await node.changeMember("node", { priority: 200 });
   */
  changeMember(id: string, change: MemberChange): Promise<void> {
    return this.membership.set(id, change);
  }

  /**
   * Gives a member another role. A spare that is to vote is a standby until it has the log.
   *
   * @throws MembershipError, as `addMember` does
   * @example
   * await node.setRole("node", "voter");
   */
  setRole(id: string, role: Role): Promise<void> {
    return this.membership.setRole(id, role);
  }

  /**
   * Takes a node out of the cluster for good, alive or dead; the leader, too, which hands over thereby. Its directory
   * is of no use any more.
   *
   * @throws MembershipError, as `addMember` does; "NoVoters" for the last one
   * @example
   * await node.removeMember("node").catch((error) => console.log(error.code)); // "NoVoters"
   */
  removeMember(id: string): Promise<void> {
    return this.membership.remove(id);
  }

  /**
   * Has another voter lead: that one, or the one that suits best. Resolves when it does.
   *
   * @throws MembershipError "TransferAborted" if it did not take over in time: then this node leads on
   * @example
   * await node.transferLeadership().catch((error) => console.log(error.code)); // "NoTarget"
   */
  transferLeadership(id?: string): Promise<void> {
    return this.membership.transfer(id);
  }

  /**
   * Waits for the calls of this node's own that are open now, hands over what it leads and its vote as far as others
   * can take them, then stops in good order. May be called again.
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
    await this.lives.close();
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
    if (event.type === "Restarting") this.client?.localLost();
    if (event.type === "ConfigurationChanged") this.client?.follow(this.peerAddresses());
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

  private peerAddresses(): ReadonlyMap<NodeId, Address> {
    return new Map([...this.lives.driver.status().peers].map(([peer, { address }]) => [peer, address]));
  }
}

/** Of one life of the node. */
function driverOptions(options: CheckedOptions, engine: EngineFactory, tuning: Tuning): DriverOptions {
  const { id, nodes: cluster, directory, address, peers, roles } = options;
  const node = {
    id, cluster, roles, address: address === null ? "" : formatAddress(address),
    timing: DEFAULT_TIMING, limits: { ...DEFAULT_LIMITS, ...tuning.limits },
    storage: { ...DEFAULT_STORAGE_LIMITS, ...tuning.storage },
    engine, database: DEFAULT_DATABASE_LIMITS, seed: randomBytes(SEED_SIZE),
    ...(tuning.digestEvery === undefined ? {} : { digestEvery: tuning.digestEvery }),
  };
  return { node, directory, address, peers };
}

/** What every ClientDriver of this package is given. */
export function clientOptions(callTimeoutMs: number): Omit<ClientDriverOptions, "addresses" | "local"> {
  const limits = { maxFrameBytes: MAX_CLIENT_FRAME_BYTES, maxQueuedBytes: MAX_QUEUED_BYTES, beatMs: BEAT_MS };
  return { limits, attemptTimeoutMs: ATTEMPT_TIMEOUT_MS, callTimeoutMs, seed: randomBytes(SEED_SIZE) };
}
