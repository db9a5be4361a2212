/**
 * A simulated network of directed links between addresses (nodes first, then clients). It decides what becomes of each
 * packet: when it arrives, whether twice, after which others, or never. It does not know what a packet says.
 *
 * A link delivers in order by itself, as a connection does; reordering is a fault like any other. Between two nodes a
 * link is one connection after the other: where a packet arrives broken, the rest of its connection is lost with it.
 */
import { invariant } from "../core/invariant.ts";
import type { Chance, Dice } from "./chance.ts";
import { pickInOrder } from "./chance.ts";
import { corrupt } from "./corruption.ts";
import { drawDelay } from "./latency.ts";
import { Link } from "./link.ts";
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
  readonly corruptPerMille: number;
  /** How long a packet that is overtaken, or a second copy, may be kept back. */
  readonly maxDetourUs: number;
  /** What a line carries, and what may wait for it; further packets are dropped. 0: as much as there is. */
  readonly bytesPerMs: number;
  readonly queueBytes: number;
}

/** Nothing goes wrong, and lines carry whatever there is. */
export const FAIR_WEATHER: NetworkWeather = {
  latencyUs: 300, isSteady: false, lossPerMille: 0, duplicatePerMille: 0, reorderPerMille: 0, corruptPerMille: 0,
  maxDetourUs: 1, bytesPerMs: 0, queueBytes: 0,
};

/** Links that carry nothing for a while. */
export interface Cut extends CutLinks {
  readonly links: readonly Link[];
  /** Whether it has stopped a packet yet. */
  stopped: boolean;
}

const US_PER_MS = 1000;
/** What comes again after so long comes from another time: leaders and logs have changed. */
const OLD_US = 1_500_000;
/** How long a node takes to call another again (io/peer-link.ts). */
const REDIAL_US = 20_000;

export class SimulatedNetwork {
  private readonly addresses: number;
  private readonly links: readonly Link[];
  private readonly tally: Tally;
  private readonly deliver: (at: number, packet: Packet) => void;
  private weather: NetworkWeather;
  private readonly calm: NetworkWeather;
  private cuts: Cut[] = [];
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
    this.links = names.flatMap((from) => names.map((to) => new Link(chance.stream(`${from}>${to}`))));
    this.weather = weather;
    this.calm = { ...FAIR_WEATHER, latencyUs: weather.latencyUs, isSteady: weather.isSteady };
    this.tally = tally;
    this.deliver = deliver;
  }

  send(now: number, from: Address, to: Address, connection: Connection | null, bytes: Uint8Array | null): void {
    const link = this.link(from, to);
    const sequence = ++link.sent;
    const dice = link.stream.next();
    const weather = link.isCalm ? this.calm : this.weather;
    const isBroken = bytes !== null && happens(dice, weather.corruptPerMille);
    const packet: Packet = { type: "packet", from, to, connection, bytes, sequence, sentAt: now, isBroken, copy: null };
    if (link.cuts > 0) {
      this.noteStopped(link);
      return this.onHappening?.({ type: "PacketSent", packet, fate: "cut", due: now });
    }
    const leavesAt = this.leavesAt(packet, link, weather, dice);
    if (leavesAt === null) return this.onHappening?.({ type: "PacketSent", packet, fate: "lost", due: now });
    this.dispatch(this.arrival(leavesAt, link, packet, weather, dice), packet);
    if (isBroken) {
      this.tally.inject("corruption");
      dice.happened(() => `${namePacket(packet)} is changed on its way`);
      return corrupt(bytes, dice);
    }
    link.remember(packet, dice.u32());
    if (happens(dice, weather.duplicatePerMille)) {
      this.tally.inject("duplication");
      // Often close upon the first: a copy is most dangerous before what others say has come.
      const detour = dice.oneIn(2) ? 0 : this.detour(dice);
      dice.happened(() => `${namePacket(packet)} is doubled`);
      const late = leavesAt + drawDelay(dice, weather.latencyUs) + detour;
      this.dispatch(late, { ...packet, copy: "duplication" });
    }
  }

  private dispatch(at: number, packet: Packet): void {
    this.deliver(at, packet);
    this.onHappening?.({ type: "PacketSent", packet, fate: "sent", due: at });
  }

  /** A packet of any time before comes once more. */
  replay(now: number, dice: Dice): void {
    const link = pickInOrder(this.links, dice, ({ album, cuts }) => album.length > 0 && cuts === 0);
    if (link === null) return;
    this.tally.inject("replay");
    const packet = dice.pick(link.album);
    dice.happened(() => `${namePacket(packet)} comes once more`);
    this.dispatch(now + drawDelay(dice, this.weather.latencyUs), { ...packet, copy: "replay" });
  }

  /** Whether the receiver, which runs, gets the packet: its connection may have broken since. */
  received(now: number, packet: Packet): boolean {
    const isReceived = this.isReceived(now, packet);
    if (isReceived) this.onHappening?.({ type: "PacketReceived", packet });
    return isReceived;
  }

  private isReceived(now: number, packet: Packet): boolean {
    const link = this.link(packet.from, packet.to);
    if (packet.copy !== null) {
      if (packet.copy === "duplication" || packet.sentAt < now - OLD_US) this.tally.effect(packet.copy);
      return true;
    }
    if (packet.connection === null && packet.sequence <= link.lostThrough) return false;
    if (packet.isBroken) {
      this.tally.effect("corruption");
      if (packet.connection !== null) return true;
      link.lostThrough = link.sent;
      link.downUntil = now + REDIAL_US;
      return false;
    }
    if (packet.sequence < link.highestArrived) this.tally.effect("reordering");
    else link.highestArrived = packet.sequence;
    return true;
  }

  /** Every link from one of `sources` to one of `targets`, and back unless it is one-way. */
  cut(kind: FaultKind, sources: readonly Address[], targets: readonly Address[], oneWay: boolean): Cut {
    const forth = sources.flatMap((source) => targets.map((target) => this.link(source, target)));
    const back = oneWay ? [] : sources.flatMap((source) => targets.map((target) => this.link(target, source)));
    const cut: Cut = { kind, sources, targets, oneWay, links: [...forth, ...back], stopped: false };
    for (const link of cut.links) link.cuts++;
    this.cuts.push(cut);
    this.tally.inject(kind);
    this.onHappening?.({ type: "CutBegan", cut });
    return cut;
  }

  mend(cut: Cut): void {
    const kept = this.cuts.filter((other) => other !== cut);
    if (kept.length === this.cuts.length) return;
    this.cuts = kept;
    for (const link of cut.links) if (link.cuts > 0) link.cuts--;
    this.onHappening?.({ type: "CutMended", cut });
  }

  /** Nothing arrives over these links until then; all of it comes at once, in order. */
  clog(sources: readonly Address[], targets: readonly Address[], until: number): void {
    this.tally.inject("clog");
    for (const source of sources) {
      for (const target of targets) if (source !== target) this.link(source, target).cloggedUntil = until;
    }
  }

  /** Among these nothing is wrong any more, nor will be: what is under way stays under way. */
  heal(addresses: readonly Address[]): void {
    for (const from of addresses) {
      for (const to of addresses) {
        if (from === to) continue;
        const link = this.link(from, to);
        link.heal();
        link.isCalm = true;
      }
    }
  }

  /** No fault from now on, anywhere. */
  healAll(): void {
    for (const cut of this.cuts) this.mend(cut);
    this.weather = this.calm;
    for (const link of this.links) link.heal();
  }

  /** When the packet is on its way; null: it never is. */
  private leavesAt(packet: Packet, link: Link, weather: NetworkWeather, dice: Dice): number | null {
    const { sentAt: now, connection, bytes } = packet;
    if (connection === null && now < link.downUntil) return null;
    if (happens(dice, weather.lossPerMille)) {
      this.tally.inject("loss");
      this.tally.effect("loss");
      dice.happened(() => `${namePacket(packet)} is lost`);
      return null;
    }
    return weather.bytesPerMs === 0 ? now : this.takeTurn(now, link, bytes?.length ?? 0, weather);
  }

  /** When the line takes the packet; null: too much is waiting for it. */
  private takeTurn(now: number, link: Link, size: number, { bytesPerMs, queueBytes }: NetworkWeather): number | null {
    const waiting = ((link.freeAt - now) / US_PER_MS) * bytesPerMs;
    if (waiting > queueBytes) {
      this.tally.inject("congestion");
      this.tally.effect("congestion");
      return null;
    }
    link.freeAt = Math.max(now, link.freeAt) + Math.ceil((size * US_PER_MS) / bytesPerMs);
    return link.freeAt;
  }

  private arrival(leavesAt: number, link: Link, packet: Packet, weather: NetworkWeather, dice: Dice): number {
    const { latencyUs, reorderPerMille, isSteady } = weather;
    const delay = drawDelay(dice, latencyUs);
    const drawn = leavesAt + (isSteady ? latencyUs : delay);
    if (drawn < link.cloggedUntil) this.tally.effect("clog");
    else if (happens(dice, reorderPerMille)) {
      this.tally.inject("reordering");
      dice.happened(() => `${namePacket(packet)} is kept back`);
      return drawn + this.detour(dice);
    }
    const inOrder = Math.max(drawn, link.lastArrival, link.cloggedUntil);
    link.lastArrival = inOrder;
    return inOrder;
  }

  private detour(dice: Dice): number {
    return dice.integer(1, this.weather.maxDetourUs);
  }

  private noteStopped(link: Link): void {
    for (const cut of this.cuts) {
      if (cut.stopped || !cut.links.includes(link)) continue;
      cut.stopped = true;
      this.tally.effect(cut.kind);
    }
  }

  private link(from: Address, to: Address): Link {
    invariant(from !== to && from < this.addresses && to < this.addresses, "a link joins two different addresses");
    return this.links[from * this.addresses + to]!;
  }
}

/** Drawn in either case: what else the dice say must not depend on it. */
function happens(dice: Dice, perMille: number): boolean {
  return perMille > 0 && dice.integer(0, 999) < perMille && !dice.isLeftOut;
}
