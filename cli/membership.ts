/**
 * What an operator asks of a cluster, made of steps that consensus knows: a node that is to vote stands by until it has
 * the log, and what can only be done a little later is asked again, up to a bound. Whether a step is allowed, and what
 * it means, is decided by core/raft alone.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Configuration, Member, MemberRole } from "../core/raft/configuration.ts";
import type { MemberOperation, MemberRequest } from "../core/replica/boundary.ts";
import { incarnationOf, isNodeId, nodeOf, type Incarnation, type NodeId } from "../core/types.ts";
import { formatAddress, parseAddress } from "../io/address.ts";
import type { Driver } from "../io/driver.ts";
import {
  changeRefused, changeUnknown, MembershipError, transferAborted, transferRefused, type ChangeRefusalReason,
} from "./membership-error.ts";
import type { CheckedOptions } from "./options.ts";

/** voter: has the data and votes. standby: has the data and does not vote. spare: knows who leads, and nothing else. */
export type Role = MemberRole;

/** What can be said of a member. What is left out stays as it is, or as the new node says itself. */
export interface MemberChange {
  readonly role?: Role;
  /** Where the others and clients reach it: "host:port". */
  readonly address?: string;
  /** Members that fail together (one rack, one zone) name the same one. */
  readonly failureDomain?: string;
  /** 0 to 255, 100 unless told: of members otherwise equal the one with the higher priority votes, and leads. */
  readonly priority?: number;
}

export interface NewMember extends MemberChange {
  readonly id: string;
  /**
   * Which disk of it, as another node's `status().applicants` has it: for one that has asked that node and not the
   * leader. Left out: the one that the leader has heard.
   */
  readonly incarnation?: string;
  /** How long it may take to be heard of and to catch up, in milliseconds: 60,000 unless told. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 60_000;
const RETRY_MS = 50;
/** As long as it takes to give up a successor that was lost at once: some election timeouts. */
const SUCCESSOR_KNOWN_MS = 3000;
/** What passes by itself. */
const PASSING: readonly ChangeRefusalReason[] = ["notReady", "pending"];

export class Membership {
  private readonly driver: Driver;
  private readonly options: CheckedOptions;

  constructor(driver: Driver, options: CheckedOptions) {
    this.driver = driver;
    this.options = options;
  }

  async add({ id: given, timeoutMs = DEFAULT_TIMEOUT_MS, incarnation: disk, ...change }: NewMember): Promise<void> {
    const id = checkId(given);
    checkChange(id, change);
    const incarnation = disk === undefined ? null : checkIncarnation(id, disk);
    const until = performance.now() + timeoutMs;
    const member = this.member(id);
    // A member whose directory was lost asks to be let in again, with another disk: it replaces the old one.
    const asking = incarnation ?? this.driver.status().strangers.find(({ node }) => node === id)?.incarnation;
    const isNew = member === null || (asking !== undefined && asking !== incarnationOf(member.id));
    const role = change.role ?? member?.role ?? (this.options.roles === null ? "voter" : "spare");
    const isTaught = !isNew && member.role !== "spare";
    const first = role === "voter" && !isTaught ? "standby" : role;
    const replaced: MemberOperation[] = isNew && member !== null ? [{ type: "remove", node: id }] : [];
    const put: MemberOperation = { type: "put", member: { ...requestOf(id, { ...change, role: first }), incarnation } };
    const addresses = isNew ? this.addressesToWriteDown(id) : [];
    await this.change(id, [...replaced, put, ...addresses], until, [...NOT_YET, "notHeard"]);
    if (first !== role) await this.promote(id, until);
  }

  async set(given: string, change: MemberChange, timeoutMs: number = DEFAULT_TIMEOUT_MS): Promise<void> {
    const id = checkId(given);
    checkChange(id, change);
    const until = performance.now() + timeoutMs;
    const role = change.role ?? this.member(id)?.role ?? "spare";
    const isSpare = this.member(id)?.role === "spare";
    if (this.member(id) === null) throw this.noMember(id);
    const first = role === "voter" && isSpare ? "standby" : role;
    const put: MemberOperation = { type: "put", member: requestOf(id, { ...change, role: first }) };
    await this.change(id, [put], until, NOT_YET, ["noChange"]);
    if (first !== role) await this.promote(id, until);
  }

  async remove(given: string): Promise<void> {
    const id = checkId(given);
    await this.change(id, [{ type: "remove", node: id }], performance.now() + DEFAULT_TIMEOUT_MS, []);
  }

  async transfer(given: string | undefined): Promise<void> {
    const target = given === undefined ? null : checkId(given);
    const outcome = await this.driver.transfer(target);
    const { leader } = this.driver.status();
    if (outcome === null) throw closed();
    if (outcome.type === "refused") throw transferRefused(outcome.reason, target, leader);
    if (outcome.type === "aborted") throw transferAborted(target, leader);
    // Leadership is gone; who has it is known in a moment.
    const until = performance.now() + SUCCESSOR_KNOWN_MS;
    while (this.driver.status().leader === null && performance.now() < until) await pause(RETRY_MS / 10);
  }

  private async promote(id: NodeId, until: number): Promise<void> {
    await this.change(id, [{ type: "put", member: requestOf(id, { role: "voter" }) }], until, NOT_YET, ["noChange"]);
  }

  /**
   * @param patientWith refusals after which it is asked again until the time is up
   * @param contentWith refusals that mean that all is as it should be
   */
  private async change(
    id: NodeId, operations: readonly MemberOperation[], until: number, patientWith: readonly ChangeRefusalReason[],
    contentWith: readonly ChangeRefusalReason[] = [],
  ): Promise<void> {
    for (;;) {
      const outcome = await this.driver.change(operations);
      const { leader } = this.driver.status();
      if (outcome === null) throw closed();
      if (outcome.type === "unknown") throw changeUnknown(id, leader);
      if (outcome.type === "committed") return;
      const { reason } = outcome;
      if (contentWith.includes(reason)) return;
      const passes = PASSING.includes(reason) || patientWith.includes(reason);
      if (!passes || performance.now() >= until) throw changeRefused(reason, id, leader);
      await pause(RETRY_MS);
    }
  }

  /**
   * Founders know each other's addresses from their options only. Who joins has no such list: so the addresses are
   * written down in the very change that lets somebody in.
   */
  private addressesToWriteDown(except: NodeId): readonly MemberOperation[] {
    const { id, address, peers } = this.options;
    const unknown = this.configuration()?.members.filter((member) => member.address === "") ?? [];
    return unknown.flatMap((member): MemberOperation[] => {
      const node = nodeOf(member.id);
      const known = node === id ? address : peers.get(node);
      if (node === except || known === undefined || known === null) return [];
      return [{ type: "put", member: requestOf(node, { role: member.role, address: formatAddress(known) }) }];
    });
  }

  /** Only the leader can be sure. */
  private noMember(id: NodeId): MembershipError {
    const { leader } = this.driver.status();
    return changeRefused(leader === this.options.id ? "unknownMember" : "notLeader", id, leader);
  }

  private member(id: NodeId): Member | null {
    return this.configuration()?.members.find((member) => nodeOf(member.id) === id) ?? null;
  }

  private configuration(): Configuration | null {
    return this.driver.status().configuration;
  }
}

const NOT_YET: readonly ChangeRefusalReason[] = ["notCaughtUp"];

function requestOf(node: NodeId, change: MemberChange & { readonly role: Role }): MemberRequest {
  const { role, address, failureDomain, priority } = change;
  return {
    node, incarnation: null, role, address: address ?? null, failureDomain: failureDomain ?? null,
    priority: priority ?? null,
  };
}

function checkId(given: unknown): NodeId {
  if (typeof given === "string" && isNodeId(given)) return given;
  throw invalid(`a member's id is ${JSON.stringify(given)}: it has 1 to 63 letters, digits and _.-`);
}

function checkIncarnation(id: NodeId, given: unknown): Incarnation {
  if (typeof given === "string" && /^[0-9a-f]{16}$/.test(given)) return given as Incarnation;
  throw invalid(`the incarnation of ${id} is ${JSON.stringify(given)}: pass it as status().applicants has it`);
}

function checkChange(id: NodeId, { role, address }: MemberChange): void {
  if (role !== undefined && !["voter", "standby", "spare"].includes(role)) {
    throw invalid(`the role of ${id} is ${JSON.stringify(role)}: pass "voter", "standby" or "spare"`);
  }
  if (address !== undefined && parseAddress(address) === null) {
    throw invalid(`the address of ${id} is ${JSON.stringify(address)}: pass "host:port", as "127.0.0.1:7001"`);
  }
}

function invalid(message: string): MembershipError {
  return new MembershipError("InvalidMember", message, null);
}

function closed(): MembershipError {
  const message = "the node was closed, or its disk failed, before the outcome was known: ask another node";
  return new MembershipError("Closed", message, null);
}
