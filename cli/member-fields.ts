/**
 * What an operator says of a member, judged before the cluster is asked: a field that is unknown, of the wrong type or
 * out of bounds is named, with its value and with what is expected.
 */
import { MAX_ADDRESS_LENGTH, MAX_PRIORITY, type MemberRole } from "../core/raft/configuration.ts";
import { isNodeId, type Incarnation, type NodeId } from "../core/types.ts";
import { parseAddress } from "../io/address.ts";
import { MembershipError } from "./membership-error.ts";
import { show } from "./options.ts";

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

const CHANGE_FIELDS: readonly (keyof MemberChange)[] = ["role", "address", "failureDomain", "priority"];
const NEW_MEMBER_FIELDS: readonly (keyof NewMember)[] = ["id", ...CHANGE_FIELDS, "incarnation", "timeoutMs"];
const ROLES: readonly unknown[] = ["voter", "standby", "spare"] satisfies readonly Role[];

export interface CheckedMember {
  readonly id: NodeId;
  /** null: the one that the leader has heard. */
  readonly incarnation: Incarnation | null;
  readonly timeoutMs: number;
  readonly change: MemberChange;
}

export function checkNewMember(given: NewMember, defaultTimeoutMs: number): CheckedMember {
  checkNames("a new member", given, NEW_MEMBER_FIELDS);
  const { id: name, incarnation, timeoutMs = defaultTimeoutMs, ...change } = given;
  const id = checkId(name);
  if (typeof timeoutMs !== "number" || !(timeoutMs >= 0)) {
    throw invalid(`timeoutMs is ${show(timeoutMs)}: pass a number of milliseconds`);
  }
  checkFields(id, change);
  return { id, incarnation: incarnation === undefined ? null : checkIncarnation(id, incarnation), timeoutMs, change };
}

export function checkChange(id: NodeId, given: MemberChange): void {
  checkNames(`the change of ${id}`, given, CHANGE_FIELDS);
  checkFields(id, given);
}

export function checkId(given: unknown): NodeId {
  if (typeof given === "string" && isNodeId(given)) return given;
  throw invalid(`a member's id is ${show(given)}: it has 1 to 63 letters, digits and _.-`);
}

/** @throws MembershipError unless it is one: for a role that must be told */
export function checkRole(id: NodeId, role: unknown): void {
  if (!ROLES.includes(role)) {
    throw invalid(`the role of ${id} is ${show(role)}: pass "voter", "standby" or "spare"`);
  }
}

function checkNames(what: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw invalid(`${what} is ${show(given)}: pass an object with ${known.join(", ")}`);
  }
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid(`${what} has no field "${unknown}": it may have ${known.join(", ")}`);
}

function checkFields(id: NodeId, { role, address, failureDomain, priority }: MemberChange): void {
  if (role !== undefined) checkRole(id, role);
  if (address !== undefined) checkAddress(id, address);
  if (failureDomain !== undefined && (typeof failureDomain !== "string" || failureDomain.length > MAX_ADDRESS_LENGTH)) {
    const rule = `pass a text of at most ${MAX_ADDRESS_LENGTH} characters`;
    throw invalid(`the failureDomain of ${id} is ${show(failureDomain)}: ${rule}`);
  }
  const isPriority = Number.isSafeInteger(priority) && Number(priority) >= 0 && Number(priority) <= MAX_PRIORITY;
  if (priority !== undefined && !isPriority) {
    throw invalid(`the priority of ${id} is ${show(priority)}: pass a whole number from 0 to ${MAX_PRIORITY}`);
  }
}

function checkAddress(id: NodeId, given: unknown): void {
  const address = typeof given === "string" && given.length <= MAX_ADDRESS_LENGTH ? parseAddress(given) : null;
  if (address === null) throw invalid(`the address of ${id} is ${show(given)}: pass "host:port", as "127.0.0.1:7001"`);
  if (address.port !== 0) return;
  throw invalid(`the address of ${id} is ${show(given)}: the other nodes must know the port`);
}

function checkIncarnation(id: NodeId, given: unknown): Incarnation {
  if (typeof given === "string" && /^[0-9a-f]{16}$/.test(given)) return given as Incarnation;
  throw invalid(`the incarnation of ${id} is ${show(given)}: pass it as status().applicants has it`);
}

export function invalid(message: string): MembershipError {
  return new MembershipError("InvalidMember", message, null);
}
