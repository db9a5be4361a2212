/**
 * The inputs and effects of every machine as the hash sees them. Bytes are hashed where they are made (sent, written,
 * read from a disk); where they arrive, the name of their packet stands for them, as the network never changes one.
 */
import { unreachable } from "../../core/invariant.ts";
import type { CallResult, ClientEffect, Operation } from "../../core/client/boundary.ts";
import type { NodeEffect, NodeInput } from "../../core/node/boundary.ts";
import type { MemberOperation } from "../../core/replica/boundary.ts";
import type { DiskOperation, DiskResult } from "../../core/storage/disk.ts";
import type { ApplicationEffect } from "../workload/boundary.ts";
import type { TraceHash } from "./hash.ts";

export function hashNodeInput(hash: TraceHash, input: NodeInput): void {
  hash.text(input.type);
  switch (input.type) {
    case "Started":
    case "TimerFired":
    case "Closing":
    case "ClockStopped":
      return;
    case "ChangeRequested":
      hash.number(input.request);
      for (const operation of input.operations) hashOperationOfMember(hash, operation);
      return;
    case "TransferRequested":
      hash.number(input.request).text(input.target ?? "");
      return;
    case "PeerReceived":
    case "ClientReceived":
      hash.text(input.from).number(input.bytes.length);
      return;
    case "ClientGone":
      hash.text(input.from);
      return;
    case "DiskDone":
      hash.number(input.ticket);
      return hashResult(hash, input.result);
    case "DiskFailed":
      hash.number(input.ticket).text(input.failure.code);
      return;
    default:
      unreachable(input);
  }
}

export function hashNodeEffect(hash: TraceHash, effect: NodeEffect): void {
  hash.text(effect.type);
  switch (effect.type) {
    case "Disk":
      hash.number(effect.ticket);
      return hashOperation(hash, effect.operation);
    case "Send":
    case "Respond":
      hash.text(effect.to).bytes(effect.bytes);
      return;
    case "Disconnect":
      hash.text(effect.client).text(effect.detail);
      return;
    case "SetTimer":
      hash.number(effect.at);
      return;
    case "Recovered":
      hash.text(effect.identity.incarnation).number(effect.last.term).number(effect.last.index);
      hash.number(effect.tornBytes);
      return;
    case "LeadershipChanged":
      hash.number(effect.term).text(effect.leader ?? "");
      return;
    case "ConfigurationChanged":
      hash.number(effect.isCommitted ? 1 : 0);
      for (const { id, role } of effect.configuration.members) hash.text(id).text(role);
      return;
    case "ChangeResolved":
    case "TransferResolved":
      hash.number(effect.request).text(effect.outcome.type);
      return;
    case "Reject":
      hash.text(effect.from).text(effect.reason);
      return;
    case "Closed":
      return;
    case "DamageFound":
      hash.text(effect.fault.type).text(effect.remedy);
      return;
    case "SpaceChanged":
      hash.number(effect.hasSpace ? 1 : 0);
      return;
    case "Halt":
      hash.text(effect.reason.type);
      return;
    default:
      unreachable(effect);
  }
}

function hashOperationOfMember(hash: TraceHash, operation: MemberOperation): void {
  if (operation.type === "remove") hash.text(operation.node);
  else hash.text(operation.member.node).text(operation.member.role);
}

export function hashClientEffect(hash: TraceHash, effect: ClientEffect): void {
  hash.text(effect.type);
  switch (effect.type) {
    case "Send":
      hash.text(effect.to).bytes(effect.bytes);
      return;
    case "SetTimer":
      hash.number(effect.at);
      return;
    case "Return":
      hash.number(effect.call);
      return hashCallResult(hash, effect.result);
    default:
      unreachable(effect);
  }
}

export function hashApplicationEffect(hash: TraceHash, effect: ApplicationEffect): void {
  hash.text(effect.type);
  switch (effect.type) {
    case "Call":
      hash.number(effect.call);
      return hashCall(hash, effect.operation);
    case "SetTimer":
      hash.number(effect.at);
      return;
    case "Stopped":
      return;
    default:
      unreachable(effect);
  }
}

function hashCall(hash: TraceHash, operation: Operation): void {
  hash.text(operation.type);
  if ("sql" in operation) hash.text(operation.sql);
}

function hashCallResult(hash: TraceHash, result: CallResult): void {
  if (result.ok) hash.number(result.rows.rows.length).number(result.changes);
  else hash.text(result.failure.code);
}

function hashOperation(hash: TraceHash, operation: DiskOperation): void {
  hash.text(operation.type);
  switch (operation.type) {
    case "write":
      hash.text(operation.file).number(operation.offset).bytes(operation.bytes);
      return;
    case "read":
      hash.text(operation.file).number(operation.offset).number(operation.length);
      return;
    case "preallocate":
      hash.text(operation.file).number(operation.size);
      return;
    case "rename":
      hash.text(operation.from).text(operation.to);
      return;
    case "open":
    case "sync":
    case "unlink":
      hash.text(operation.file);
      return;
    case "list":
    case "syncDirectory":
      return;
    default:
      unreachable(operation);
  }
}

function hashResult(hash: TraceHash, result: DiskResult): void {
  switch (result.type) {
    case "open":
      hash.number(result.size ?? -1);
      return;
    case "read":
      hash.bytes(result.bytes);
      return;
    case "list":
      hash.number(result.files.length);
      return;
    case "done":
      return;
    default:
      unreachable(result);
  }
}
