/**
 * What an operator asks of a cluster, made of steps that consensus knows: a node that is to vote stands by until it has
 * the log, and what can only be done a little later is asked again, up to a bound. Whether a step is allowed, and what
 * it means, is decided by core/raft alone.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Configuration, Member } from "../core/raft/configuration.ts";
import type { MemberOperation, MemberRequest } from "../core/replica/boundary.ts";
import { incarnationOf, memberIdOf, nodeOf, type NodeId } from "../core/types.ts";
import { formatAddress } from "../io/address.ts";
import type { Driver } from "../io/driver.ts";
import {
  checkChange, checkId, checkNewMember, checkRole, invalid, type MemberChange, type NewMember, type Role,
} from "./member-fields.ts";
import {
  callClosed, changeRefused, changeUnknown, type MembershipError, notAMember, transferAborted, transferRefused,
  type ChangeRefusalReason,
} from "./membership-error.ts";
import { addressOf } from "./node-status.ts";
import type { CheckedOptions } from "./options.ts";

const DEFAULT_TIMEOUT_MS = 60_000;
const RETRY_MS = 50;
/** As long as it takes to give up a successor that was lost at once: some election timeouts. */
const SUCCESSOR_KNOWN_MS = 3000;
/** What passes by itself. */
const PASSING: readonly ChangeRefusalReason[] = ["notReady", "pending"];

export class Membership {
  private readonly driverNow: () => Driver;
  private readonly options: CheckedOptions;

  /** @param driverNow a node that was quarantined goes on with another one */
  constructor(driverNow: () => Driver, options: CheckedOptions) {
    this.driverNow = driverNow;
    this.options = options;
  }

  async add(given: NewMember): Promise<void> {
    const { id, incarnation, timeoutMs, change } = checkNewMember(given, DEFAULT_TIMEOUT_MS);
    this.checkOwnAddress(id, change);
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

  async setRole(given: string, role: Role): Promise<void> {
    checkRole(checkId(given), role);
    await this.set(given, { role });
  }

  async set(given: string, change: MemberChange): Promise<void> {
    const id = checkId(given);
    checkChange(id, change);
    this.checkOwnAddress(id, change);
    const until = performance.now() + DEFAULT_TIMEOUT_MS;
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
    if (outcome === null) throw callClosed();
    if (outcome.type === "refused") {
      if (outcome.reason === "notLeader") throw this.outsider() ?? transferRefused(outcome.reason, target, leader);
      if (target !== null && this.member(target) === null) throw this.noMember(target);
      throw transferRefused(outcome.reason, target, leader);
    }
    if (outcome.type === "aborted") throw transferAborted(target, leader);
    // Leadership is gone; who has it is known in a moment.
    const until = performance.now() + SUCCESSOR_KNOWN_MS;
    const isUnknown = (): boolean => this.driver.status().leader === null && !this.driver.hasEnded;
    while (isUnknown() && performance.now() < until) await pause(RETRY_MS / 10);
  }

  private get driver(): Driver {
    return this.driverNow();
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
    const aliveUntil = Math.min(until, performance.now() + SEEMS_ALIVE_MS);
    for (;;) {
      const outcome = await this.driver.change(operations);
      const { leader } = this.driver.status();
      if (outcome === null) throw callClosed();
      if (outcome.type === "unknown") throw changeUnknown(id, leader);
      if (outcome.type === "committed") return;
      const { reason } = outcome;
      if (contentWith.includes(reason)) return;
      const passes = PASSING.includes(reason) || patientWith.includes(reason) || reason === "stillAlive";
      const end = reason === "stillAlive" ? aliveUntil : until;
      if (!passes || performance.now() >= end) throw this.refusal(reason, id);
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
    if (this.driver.hasEnded) return callClosed();
    return this.refusal(this.driver.status().leader === this.options.id ? "unknownMember" : "notLeader", id);
  }

  private refusal(reason: ChangeRefusalReason, id: NodeId): MembershipError {
    const { leader } = this.driver.status();
    return (reason === "notLeader" ? this.outsider() : null) ?? changeRefused(reason, id, leader);
  }

  /** Who is no member does not hear who leads, however long one waits; null: it is one, or has heard. */
  private outsider(): MembershipError | null {
    const { leader, configuration, identity } = this.driver.status();
    if (leader !== null || identity === null) return null;
    if (configuration === null) return notAMember([...this.options.peers.keys()], "is not in the cluster yet");
    const self = memberIdOf(this.options.id, identity.incarnation);
    const { members } = configuration;
    if (members.some((member) => member.id === self)) return null;
    return notAMember(members.map((member) => nodeOf(member.id)), "is no member of the cluster any more");
  }

  /** Two that share an address would take each other's messages. */
  private checkOwnAddress(id: NodeId, { address }: MemberChange): void {
    if (address === undefined) return;
    const other = this.configuration()?.members.find((member) => {
      return nodeOf(member.id) !== id && addressOf(member, this.options) === address;
    });
    if (other === undefined) return;
    const rule = `${nodeOf(other.id)} has it: each member has its own`;
    throw invalid(`the address of ${id} is "${address}", but ${rule}`);
  }

  private member(id: NodeId): Member | null {
    return this.configuration()?.members.find((member) => nodeOf(member.id) === id) ?? null;
  }

  private configuration(): Configuration | null {
    return this.driver.status().configuration;
  }
}

const NOT_YET: readonly ChangeRefusalReason[] = ["notCaughtUp"];
/** As long as a node that has died seems to be alive: it may have come back with another disk. */
const SEEMS_ALIVE_MS = 10_000;

function requestOf(node: NodeId, change: MemberChange & { readonly role: Role }): MemberRequest {
  const { role, address, failureDomain, priority } = change;
  return {
    node, incarnation: null, role, address: address ?? null, failureDomain: failureDomain ?? null,
    priority: priority ?? null,
  };
}
