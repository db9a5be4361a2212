/**
 * A simulated network of directed links between addresses (nodes first, then clients). It decides what becomes of each
 * packet: when it arrives, whether twice, after which others, or never. It does not know what a packet says.
 *
 * A link delivers in order by itself, as a connection does; reordering is a fault like any other.
 */
import { invariant } from "../core/invariant.ts";
import type { Chance, Dice, Stream } from "./chance.ts";
import { drawDelay } from "./latency.ts";
import type { Connection } from "./connection.ts";
import type { CutLinks, Happening } from "./happening.ts";
import type { Address, Packet } from "./packet.ts";
import type { FaultKind, Tally } from "./tally.ts";
import { namePacket } from "./trace/describe.ts";

export interface NetworkWeather {
  /** Mean time on the way. */
  readonly latencyUs: number;
  /** Each packet takes exactly that. */
  readonly isSteady: boolean;
  /** Of a thousand packets. */
  readonly lossPerMille: number;
  readonly duplicatePerMille: number;
  readonly reorderPerMille: number;
  /** How long a packet that is overtaken, or a second copy, may be kept back. */
  readonly maxDetourUs: number;
}

/** Links that carry nothing for a while. */
export interface Cut extends CutLinks {
  readonly links: readonly number[];
  /** Whether it has stopped a packet yet. */
  stopped: boolean;
}

export class SimulatedNetwork {
  private readonly addresses: number;
  private readonly streams: readonly Stream[];
  private readonly tally: Tally;
  private readonly deliver: (at: number, packet: Packet) => void;
  private weather: NetworkWeather;
  private cuts: Cut[] = [];
  /** For each link: how many cuts lie on it. */
  private readonly cutCount: Uint8Array;
  /** For each link: when the last packet that kept its place arrives. */
  private readonly lastArrival: Float64Array;
  private readonly lastSent: Float64Array;
  private readonly highestArrived: Float64Array;
  /** Who is told of what becomes of packets and links; null: nobody is. */
  onHappening: ((happening: Happening) => void) | null = null;

  constructor(
    names: readonly string[],
    weather: NetworkWeather,
    chance: Chance,
    tally: Tally,
    deliver: (at: number, packet: Packet) => void,
  ) {
    this.addresses = names.length;
    this.streams = names.flatMap((from) => names.map((to) => chance.stream(`${from}>${to}`)));
    this.weather = weather;
    this.tally = tally;
    this.deliver = deliver;
    const links = names.length * names.length;
    this.cutCount = new Uint8Array(links);
    this.lastArrival = new Float64Array(links);
    this.lastSent = new Float64Array(links);
    this.highestArrived = new Float64Array(links);
  }

  send(now: number, from: Address, to: Address, connection: Connection | null, bytes: Uint8Array | null): void {
    const link = this.link(from, to);
    const sequence = ++this.lastSent[link]!;
    const dice = this.streams[link]!.next();
    const packet: Packet = { type: "packet", from, to, connection, bytes, sequence, copy: false };
    if (this.cutCount[link]! > 0) {
      this.noteStopped(link);
      this.onHappening?.({ type: "PacketSent", packet, fate: "cut", due: now });
      return;
    }
    if (happens(dice, this.weather.lossPerMille)) {
      this.tally.inject("loss");
      this.tally.effect("loss");
      dice.happened(() => `${namePacket(packet)} is lost`);
      this.onHappening?.({ type: "PacketSent", packet, fate: "lost", due: now });
      return;
    }
    this.dispatch(this.arrival(now, link, packet, dice), packet);
    if (happens(dice, this.weather.duplicatePerMille)) {
      this.tally.inject("duplication");
      // Often close upon the first: a copy is most dangerous before what others say has come.
      const detour = dice.oneIn(2) ? 0 : this.detour(dice);
      const late = now + drawDelay(dice, this.weather.latencyUs) + detour;
      dice.happened(() => `${namePacket(packet)} is doubled`);
      this.dispatch(late, { ...packet, copy: true });
    }
  }

  private dispatch(at: number, packet: Packet): void {
    this.deliver(at, packet);
    this.onHappening?.({ type: "PacketSent", packet, fate: "sent", due: at });
  }

  /** A running program got the packet. */
  received(packet: Packet): void {
    this.onHappening?.({ type: "PacketReceived", packet });
    if (packet.copy) {
      this.tally.effect("duplication");
      return;
    }
    const link = this.link(packet.from, packet.to);
    if (packet.sequence < this.highestArrived[link]!) this.tally.effect("reordering");
    else this.highestArrived[link] = packet.sequence;
  }

  /** Every link from one of `sources` to one of `targets`, and back unless it is one-way. */
  cut(kind: FaultKind, sources: readonly Address[], targets: readonly Address[], oneWay: boolean): Cut {
    const links: number[] = [];
    for (const source of sources) {
      for (const target of targets) {
        links.push(this.link(source, target));
        if (!oneWay) links.push(this.link(target, source));
      }
    }
    const cut: Cut = { kind, sources, targets, oneWay, links, stopped: false };
    for (const link of links) this.cutCount[link]!++;
    this.cuts.push(cut);
    this.tally.inject(kind);
    this.onHappening?.({ type: "CutBegan", cut });
    return cut;
  }

  mend(cut: Cut): void {
    const kept = this.cuts.filter((other) => other !== cut);
    if (kept.length === this.cuts.length) return;
    this.cuts = kept;
    for (const link of cut.links) this.cutCount[link]!--;
    this.onHappening?.({ type: "CutMended", cut });
  }

  /** No fault from now on; what is under way stays under way. */
  heal(): void {
    for (const cut of this.cuts) this.mend(cut);
    this.weather = { ...this.weather, lossPerMille: 0, duplicatePerMille: 0, reorderPerMille: 0 };
  }

  private arrival(now: number, link: number, packet: Packet, dice: Dice): number {
    const { latencyUs, reorderPerMille, isSteady } = this.weather;
    const delay = drawDelay(dice, latencyUs);
    const drawn = now + (isSteady ? latencyUs : delay);
    if (happens(dice, reorderPerMille)) {
      this.tally.inject("reordering");
      dice.happened(() => `${namePacket(packet)} is kept back`);
      return drawn + this.detour(dice);
    }
    const inOrder = Math.max(drawn, this.lastArrival[link]!);
    this.lastArrival[link] = inOrder;
    return inOrder;
  }

  private detour(dice: Dice): number {
    return dice.integer(1, this.weather.maxDetourUs);
  }

  private noteStopped(link: number): void {
    for (const cut of this.cuts) {
      if (cut.stopped || !cut.links.includes(link)) continue;
      cut.stopped = true;
      this.tally.effect(cut.kind);
    }
  }

  private link(from: Address, to: Address): number {
    invariant(from !== to && from < this.addresses && to < this.addresses, "a link joins two different addresses");
    return from * this.addresses + to;
  }
}

/** Drawn in either case: what else the dice say must not depend on it. */
function happens(dice: Dice, perMille: number): boolean {
  return perMille > 0 && dice.integer(0, 999) < perMille && !dice.isLeftOut;
}
