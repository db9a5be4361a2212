/**
 * Writes the chronicle of a run: a witness that keeps what it is told as rows. It knows who caused what, as every
 * packet, operation and return leaves in the step that another one's arrival began.
 */
import type { ClientEffect, ClientInput } from "../../core/client/boundary.ts";
import { unreachable } from "../../core/invariant.ts";
import type { NodeEffect, NodeInput } from "../../core/node/boundary.ts";
import type { NodeId, Ticket } from "../../core/types.ts";
import type { CutLinks, Happening, PacketFate } from "../happening.ts";
import type { NodeObservation } from "../oracles/boundary.ts";
import type { Address, Packet } from "../packet.ts";
import type { FaultKind } from "../tally.ts";
import { describeEffect, describeInput, inWords } from "../trace/describe.ts";
import {
  type CallRow, type Cause, type Chronicle, FATES, type Moment, type OperationRow, OUTCOMES, type PacketRow, ROLES,
  type Span, type StateRow,
} from "./format.ts";
import { Texts } from "./texts.ts";
import * as wording from "./wording.ts";

const NOBODY: Cause = 0;
const [DOWN, STARTING] = [ROLES.indexOf("down"), ROLES.indexOf("starting")];
const [UNDER_WAY, ARRIVED, UNHEARD] = [FATES.indexOf("underWay"), FATES.indexOf("arrived"), FATES.indexOf("unheard")];
const BROKEN = FATES.indexOf("broken");
/** What is told again within this time is told once. */
const REPEATED_US = 200_000;

/** What is known of a lane at the moment. */
interface Lane {
  /** What led to the step that is being taken. */
  cause: Cause;
  /** The row of the packet that has just arrived. */
  arrived: Cause;
  readonly operations: Map<Ticket, number>;
  readonly calls: Map<number, number>;
  state: StateRow | null;
}

export class Chronicler {
  private nodes: readonly NodeId[] = [];
  private clients: readonly string[] = [];
  private readonly texts = new Texts();
  private readonly packets: PacketRow[] = [];
  private readonly operations: OperationRow[] = [];
  private readonly states: StateRow[] = [];
  private readonly calls: CallRow[] = [];
  private readonly spans: Span[] = [];
  private readonly moments: Moment[] = [];
  private lanes: Lane[] = [];
  private readonly underWay = new Map<Packet, number>();
  private readonly cuts = new Map<CutLinks, Span>();
  /** What lasts, by node and kind. */
  private readonly troubles = new Map<string, Span>();
  /** When each piece of news was told last. */
  private readonly noted = new Map<string, number>();
  private now = 0;
  /** Of the step that was taken last, by anybody. */
  private lastCause: Cause = NOBODY;
  private failureCause: Cause = NOBODY;

  readonly witness = (now: number, happening: Happening): void => {
    this.now = now;
    this.take(happening);
  };

  /** All that has been told so far. */
  chronicle(): Chronicle {
    const { nodes, clients, now: end, failureCause, packets, operations, states, calls, spans, moments } = this;
    return {
      nodes, clients, end, failureCause, operations, states, calls, spans, moments, detailFrom: 0,
      texts: this.texts.all,
      // That one has arrived where nobody ran is never told.
      packets: packets.map((row): PacketRow => {
        const [sentAt, delay, from, to, fate, ...rest] = row;
        return [sentAt, delay, from, to, fate === UNDER_WAY && sentAt + delay < end ? UNHEARD : fate, ...rest];
      }),
    };
  }

  private take(happening: Happening): void {
    switch (happening.type) {
      case "Opened":
        return this.open(happening.nodes, happening.clients);
      case "Phase":
        return this.note("phase", null, happening.name);
      case "NodeStarted":
        this.note("started", happening.node, `starts life ${happening.life}`);
        return this.showState(happening.node, null);
      case "NodeCrashed":
        return this.crashed(happening.node, happening.losesPower);
      case "NodeHalted":
        return this.note("halted", happening.node, `stops by itself: ${inWords(happening.reason)}`);
      case "NodePaused": {
        const [kind, text] = happening.isFrozen ? ["frozenClock", "is frozen"] : ["pause", "stands still"];
        this.begin(kind, happening.node, happening.until, text);
        return;
      }
      case "DiskLost":
        return this.note("diskLoss", happening.node, "loses its disk, and gets an empty one");
      case "NodeStepping":
        this.nodeStepping(happening.node, happening.input);
        this.lastCause = this.laneOf(happening.node).cause;
        return;
      case "NodeStepped":
        return this.nodeStepped(happening.node, happening.effects, happening.seen);
      case "ClientStarted":
        return this.note("clientStarted", happening.client, `${happening.application} starts`);
      case "ClientDied":
        return this.clientDied(happening.client, happening.application);
      case "ClientStepped":
        this.clientStepped(happening.client, happening.application, happening.input, happening.effects);
        this.lastCause = this.laneOf(happening.client).cause;
        return;
      case "PacketSent":
        return this.sent(happening.packet, happening.fate, happening.due);
      case "PacketReceived":
        return this.received(happening.packet);
      case "CutBegan":
        return this.cutBegan(happening.cut);
      case "CutMended":
        return this.cutMended(happening.cut);
      case "DiskTroubled":
        return this.troubled(happening.node, happening.kind, happening.until);
      case "Struck":
        return this.note(happening.kind, happening.node, happening.text);
      case "Marked":
        return this.note("mark", happening.node, happening.mark);
      case "Failed":
        this.failureCause = this.lastCause;
        return this.note("failure", null, `${happening.violation.oracle}: ${happening.violation.message}`);
      default:
        unreachable(happening);
    }
  }

  private open(nodes: readonly NodeId[], clients: readonly string[]): void {
    this.nodes = nodes;
    this.clients = clients;
    this.lanes = [...nodes, ...clients].map(() => {
      return { cause: NOBODY, arrived: NOBODY, operations: new Map(), calls: new Map(), state: null };
    });
  }

  private addressOf(lane: NodeId | Address): Address {
    return typeof lane === "number" ? lane : this.nodes.indexOf(lane);
  }

  private laneOf(lane: NodeId | Address): Lane {
    return this.lanes[this.addressOf(lane)]!;
  }

  private note(kind: string, lane: NodeId | Address | null, text: string): void {
    if (kind === "mark" || kind === "news") {
      const name = `${lane} ${text}`;
      const isRepeated = this.now < (this.noted.get(name) ?? -REPEATED_US) + REPEATED_US;
      this.noted.set(name, this.now);
      if (isRepeated) return;
    }
    this.moments.push({ kind, at: this.now, lane: lane === null ? null : this.addressOf(lane), text });
  }

  private begin(kind: string, node: NodeId, end: number | null, text: string): Span {
    const span: Span = { kind, from: this.now, end, lanes: [this.addressOf(node)], others: [], text };
    this.spans.push(span);
    return span;
  }

  // Nodes.

  private crashed(node: NodeId, losesPower: boolean): void {
    this.note(losesPower ? "powerLoss" : "killed", node, losesPower ? "loses power" : "is killed");
    const lane = this.laneOf(node);
    lane.operations.clear();
    const [, , , term, ...indexes] = lane.state ?? [0, 0, 0, 0, 0, 0, 0, 0];
    this.putState(node, [this.now, this.addressOf(node), DOWN, term, ...indexes]);
    // A pause ends with its process.
    for (const span of this.spans) {
      const isPause = span.kind === "pause" || span.kind === "frozenClock";
      if (isPause && span.lanes[0] === this.addressOf(node)) span.end = Math.min(span.end ?? this.now, this.now);
    }
  }

  private nodeStepping(node: NodeId, input: NodeInput): void {
    const lane = this.laneOf(node);
    lane.cause = NOBODY;
    switch (input.type) {
      case "PeerReceived":
      case "ClientReceived":
        lane.cause = lane.arrived;
        return;
      case "DiskDone":
      case "DiskFailed": {
        const row = lane.operations.get(input.ticket);
        if (row === undefined) return;
        lane.operations.delete(input.ticket);
        lane.cause = row * 4 + 2;
        const operation = this.operations[row]!;
        operation[1] = this.now - operation[0];
        if (input.type === "DiskDone") return;
        operation[3] = 1;
        return this.note("operationFailed", node, `${this.texts.all[operation[5]]}: ${input.failure.code}`);
      }
      case "ChangeRequested":
      case "TransferRequested":
      case "Closing":
      case "ClockStopped":
        return this.note("request", node, describeInput(input));
      default:
        return;
    }
  }

  private nodeStepped(node: NodeId, effects: readonly NodeEffect[], seen: NodeObservation): void {
    const lane = this.laneOf(node);
    for (const effect of effects) {
      switch (effect.type) {
        case "Disk": {
          const text = this.texts.place(wording.wordsOfOperation(effect.operation));
          lane.operations.set(effect.ticket, this.operations.length);
          this.operations.push([this.now, -1, this.addressOf(node), 0, lane.cause, text]);
          break;
        }
        case "Send":
        case "Respond":
        case "SetTimer":
        case "LeadershipChanged":
          break;
        case "ChangeResolved":
        case "TransferResolved":
          this.note("answer", node, describeEffect(effect));
          break;
        case "ConfigurationChanged":
          this.note("news", node, wording.wordsOfConfiguration(effect.configuration, effect.isCommitted));
          break;
        case "Reject":
          this.note("news", node, `refuses what ${effect.from} says: ${effect.reason}`);
          break;
        default:
          this.note("news", node, describeEffect(effect));
      }
    }
    this.showState(node, seen);
  }

  private showState(node: NodeId, seen: NodeObservation | null): void {
    const { raft = null, database = null } = seen ?? {};
    const address = this.addressOf(node);
    if (raft === null) return this.putState(node, [this.now, address, STARTING, 0, 0, 0, 0, 0]);
    const role = ROLES.indexOf(raft.role);
    const applied = database?.appliedIndex ?? 0;
    const { currentTerm, commitIndex, last, base } = raft;
    this.putState(node, [this.now, address, role, currentTerm, commitIndex, applied, last.index, base.index]);
  }

  private putState(node: NodeId, state: StateRow): void {
    const lane = this.laneOf(node);
    const before = lane.state;
    if (before !== null && state.every((value, at) => at === 0 || value === before[at])) return;
    lane.state = state;
    this.states.push(state);
  }

  // Clients.

  private clientDied(client: Address, application: string): void {
    const { calls } = this.laneOf(client);
    for (const row of calls.values()) {
      const call = this.calls[row]!;
      call[1] = this.now - call[0];
      call[8] = this.texts.place("its application died before");
    }
    calls.clear();
    this.note("clientDeath", client, `${application} dies`);
  }

  private clientStepped(
    client: Address, application: string, input: ClientInput, effects: readonly ClientEffect[],
  ): void {
    const lane = this.laneOf(client);
    lane.cause = input.type === "Received" ? lane.arrived : NOBODY;
    if (input.type === "Called") {
      const { operation } = input;
      const transaction = "transaction" in operation ? (operation.transaction ?? 0) : 0;
      lane.calls.set(input.call, this.calls.length);
      lane.cause = this.calls.length * 4 + 3;
      const [name, text] = [this.texts.place(application), this.texts.place(wording.wordsOfCall(operation))];
      this.calls.push([this.now, -1, client, name, transaction, OUTCOMES.indexOf("open"), NOBODY, text, 0]);
    }
    for (const effect of effects) {
      const row = effect.type === "Return" ? this.calls[lane.calls.get(effect.call) ?? -1] : undefined;
      if (row === undefined || effect.type !== "Return") continue;
      const { result } = effect;
      const isUnknown = !result.ok && result.failure.code === "OutcomeUnknown";
      row[1] = this.now - row[0];
      row[5] = OUTCOMES.indexOf(result.ok ? "ok" : isUnknown ? "unknown" : "refused");
      row[6] = lane.cause;
      row[8] = this.texts.place(wording.wordsOfResult(result));
      lane.calls.delete(effect.call);
    }
  }

  // The network.

  private sent(packet: Packet, fate: PacketFate, due: number): void {
    const { from, to, bytes, copy, isBroken } = packet;
    // Nobody says that a reset has come.
    const code = fate !== "sent" ? FATES.indexOf(fate) : isBroken ? BROKEN : bytes === null ? ARRIVED : UNDER_WAY;
    const text = this.texts.place(this.wordsOf(packet));
    if (fate === "sent" && bytes !== null) this.underWay.set(packet, this.packets.length);
    // Resets are sent by operating systems, when a process is gone; replays by nobody.
    const cause = bytes === null || copy === "replay" ? NOBODY : this.laneOf(from).cause;
    this.packets.push([this.now, due - this.now, from, to, code, copy === null ? 0 : 1, cause, text]);
  }

  private wordsOf({ from, to, bytes }: Packet): string {
    if (bytes === null) return "the connection is reset";
    const [isFromNode, isToNode] = [from < this.nodes.length, to < this.nodes.length];
    if (isFromNode && isToNode) return wording.wordsOfLetter(bytes);
    return isToNode ? wording.wordsOfRequest(bytes) : wording.wordsOfAnswer(bytes);
  }

  private received(packet: Packet): void {
    const row = this.underWay.get(packet);
    if (row === undefined) return;
    this.underWay.delete(packet);
    this.packets[row]![1] = this.now - this.packets[row]![0];
    this.packets[row]![4] = ARRIVED;
    this.laneOf(packet.to).arrived = row * 4 + 1;
  }

  private cutBegan(cut: CutLinks): void {
    const names = (addresses: readonly Address[]): string =>
      addresses.map((address) => this.nodes[address] ?? this.clients[address - this.nodes.length]).join(" ");
    const text = `${names(cut.sources)} ${cut.oneWay ? "→" : "↔"} ${names(cut.targets)}`;
    const span: Span = {
      kind: cut.kind, from: this.now, end: null, lanes: [...cut.sources], others: [...cut.targets], text,
    };
    this.spans.push(span);
    this.cuts.set(cut, span);
  }

  private cutMended(cut: CutLinks): void {
    const span = this.cuts.get(cut);
    if (span !== undefined) span.end = this.now;
  }

  private troubled(node: NodeId, kind: FaultKind, until: number): void {
    const name = `${node} ${kind}`;
    const open = this.troubles.get(name);
    if (open !== undefined) open.end = Math.min(open.end ?? this.now, this.now);
    this.troubles.delete(name);
    if (until > 0) this.troubles.set(name, this.begin(kind, node, until === Infinity ? null : until, kind));
  }
}
