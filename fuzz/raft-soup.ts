/**
 * A cluster (raft-world.ts) in a soup of messages, by dice: any of them may arrive, now or later or twice or never;
 * disks answer late, run full, and lose what they held (one at a time); members crash and lose what is not on their
 * disks; clocks drift; members come, go, and come back with empty disks. When the faults stop, everything that was
 * asked has to be answered, all have to apply the same, and what was lost has to be there again.
 */
import { DEFAULT_LIMITS, DEFAULT_TIMING, type RaftLimits } from "../core/raft/boundary.ts";
import { everybodyIn, foundingConfiguration, memberOf, newMember, votersOf } from "../core/raft/configuration.ts";
import type { Configuration, ConfigurationOperation, MemberRole } from "../core/raft/configuration.ts";
import { Random } from "../core/random.ts";
import { nodeOf, type Instant, type LogIndex, type MemberId } from "../core/types.ts";
import { expectThat } from "./raft-witness.ts";
import type { Host } from "./raft-member.ts";
import { mergeSnapshot, type Luck } from "./raft-snapshots.ts";
import { World, type Packet } from "./raft-world.ts";

/** Anywhere but at zero, where mistakes would not show. */
const START = 1_000_000_000;
const MAX_PACKETS = 300;

/** How a host's clock runs against true time. */
interface Clock {
  readonly ppm: number;
  /** So much true time has not been counted: it stood still. */
  missed: number;
}

export class Soup {
  readonly world: World;
  private readonly random: Random;
  private readonly clocks = new Map<MemberId, Clock>();
  private readonly maxPpm: number;
  private trueNow = START;
  private nextPayload = 1;
  private nextLife = 1;
  /** How often time passes, of a thousand things that happen: with more of it, more elections. */
  private readonly haste: number;
  /** In percent of messages. */
  private readonly loss: number;
  private readonly changes: boolean;
  /** In percent of restarts. */
  private readonly damage: number;
  /** Which way nothing gets through, as "sender→receiver"; "*" is anybody. */
  private down: readonly string[] = [];
  /** Asked for nothing new any more. */
  private isQuiet = false;

  constructor(size: number, seed: number) {
    const random = Random.fromNumber(seed);
    this.random = random;
    this.haste = random.integer(1, 40);
    this.loss = random.pick([0, 2, 15]);
    this.changes = random.chance(60);
    this.maxPpm = random.pick([0, 1_000, 100_000]);
    this.damage = random.pick([0, 10, 60]);
    const founders = ["a", "b", "c", "d", "e"].slice(0, size).map(firstLife);
    this.world = new World({
      founding: foundingConfiguration(founders),
      timing: DEFAULT_TIMING,
      limits: limitsOf(random),
      leaseDriftPpm: random.chance(50) ? this.maxPpm : null,
      roles: random.chance(25) ? { voters: random.pick([1, 3, 5]), standbys: random.integer(0, 2) } : null,
      version: 1,
    });
    for (const id of founders) this.join(id);
  }

  /** One random thing happens. */
  stir(faults: boolean): void {
    const { random, world } = this;
    const hosts = [...world.hosts.values()];
    const owing = hosts.filter(owes);
    const dice = random.integer(0, 999);
    if (dice < 20) this.mishap(random.pick(hosts), faults);
    else if (dice < 120) this.ask(faults);
    else if (dice < 120 + this.haste) this.tick(faults);
    else if (dice < 300) this.serveAll(random.pick(owing.length > 0 ? owing : hosts), faults);
    else if (world.packets.length > 0 && (owing.length === 0 || random.chance(55))) {
      this.deliver(random.chance(80) ? 0 : random.integer(0, MAX_PACKETS), faults);
    } else if (owing.length > 0) this.serve(random.pick(owing), faults);
    else this.tick(faults);
  }

  private mishap(host: Host, faults: boolean): void {
    if (host.raft === null) return this.restart(host, faults);
    const dice = this.random.integer(0, 8);
    if (!faults) return;
    if (dice < 3) this.breakSomething(host);
    else if (dice < 5) this.cut();
    else if (dice < 7) this.troubleDisk(host);
  }

  /** It runs full, or has room again; it wants its log stored; or its files are merged, which is no trouble at all. */
  private troubleDisk(host: Host): void {
    const { random, world } = this;
    const dice = random.integer(0, 2);
    if (dice === 0) return world.step(host, { type: "SpaceChanged", hasSpace: random.chance(40) });
    if (dice === 1) return mergeSnapshot(world, host);
    const through = random.pick([0, host.applied, host.applied + 2]) as LogIndex;
    world.step(host, { type: "SnapshotWanted", through });
  }

  /**
   * Whether its disk may lose what it held: of three voters or more one, and no others while it is not made good. Of
   * two the other could be needed for ever.
   */
  private mayLose({ id }: Host): boolean {
    const hosts = [...this.world.hosts.values()];
    if (hosts.some((other) => other.id !== id && this.hasLost(other))) return false;
    return hosts.every(({ configuration }) => {
      return configuration === null || (configuration.outgoing.length === 0 && votersOf(configuration).length >= 3);
    });
  }

  private hasLost({ raft, disk }: Host): boolean {
    return disk.lost !== null || (raft !== null && raft.inspect().lost !== null);
  }

  /** From now on somebody, mostly one who leads, is deaf, or mute, or both, or deaf to one; or all is well again. */
  private cut(): void {
    const { id } = this.random.pick(this.leadersOr([...this.world.hosts.values()], 70));
    const other = this.random.pick([...this.world.hosts.keys()]);
    this.down = this.random.pick([[], [`${id}→*`, `*→${id}`], [`${id}→*`], [`*→${id}`], [`${id}→${other}`]]);
  }

  private leadersOr(hosts: readonly Host[], percent: number): readonly Host[] {
    const leaders = leadersOf(hosts);
    return leaders.length > 0 && this.random.chance(percent) ? leaders : hosts;
  }

  private getsThrough({ from, to }: Packet): boolean {
    return this.down.every((way) => way !== `${from}→*` && way !== `*→${to}` && way !== `${from}→${to}`);
  }

  /** Nothing is lost and nobody crashes, until all have applied the same, more than before, and nothing is open. */
  heal(): void {
    this.down = [];
    for (const host of this.world.hosts.values()) {
      if (host.raft === null) this.restart(host, false);
      this.world.step(host, { type: "SpaceChanged", hasSpace: true });
    }
    // What became of a proposal is known once something is committed at its index.
    const goal = this.world.longest + 3;
    for (let step = 0; step < 60_000; step++) {
      // Now and then a little more is asked for: a leader may have been deposed since, with proposals beyond the goal.
      this.isQuiet = this.world.reference.committed.length >= goal && step % 8_000 >= 100;
      this.stir(false);
      if (this.isQuiet && step % 16 === 0 && this.isSettled()) return;
    }
    expectThat(false, `once faults stop, the cluster commits more and all apply it: ${this.show()}`);
  }

  private isSettled(): boolean {
    const { committed } = this.world.reference;
    const configuration = this.world.reference.configurationOf(committed);
    if (configuration.outgoing.length > 0) return false;
    return [...this.world.hosts.values()].every((host) => {
      if (host.raft === null || host.reads.size > 0 || host.isLeaving !== host.hasLeft) return false;
      // Who was left behind before it heard of that never hears what became of its proposals either.
      const role = memberOf(configuration, host.id)?.role ?? "spare";
      return role === "spare" || (host.applied === committed.length && host.open.size === 0 && !this.hasLost(host));
    });
  }

  /** What a failure is to be understood by. */
  show(): string {
    const hosts = [...this.world.hosts.values()].map(({ id, raft, applied, open, reads }) => {
      const state = raft?.inspect();
      const what = state === undefined ? "crashed" : `${state.role} ${state.currentTerm} commit ${state.commitIndex}`;
      const lost = state?.lost ? ` lost ${state.lost.term}/${state.lost.index}` : "";
      return `${id} ${what} applied ${applied} open ${open.size} reads ${reads.size}${lost}`;
    });
    return `${hosts.join("; ")}; committed ${this.world.reference.committed.length}`;
  }

  private join(id: MemberId): void {
    const ppm = Math.floor(this.maxPpm / 2);
    const clock = { ppm: this.random.integer(-ppm, ppm), missed: 0 };
    this.clocks.set(id, clock);
    this.world.join(id, this.localTime(clock));
  }

  private restart(host: Host, faults: boolean): void {
    const { random } = this;
    const { log, snapshot } = host.disk;
    if (faults && random.chance(this.damage) && log.length > 0 && this.mayLose(host)) {
      const keep = random.chance(75) ? random.integer(snapshot, log.length) : random.integer(0, log.length);
      this.world.lose(host, keep, random.chance(70));
    }
    host.now = this.localTime(this.clocks.get(host.id) as Clock);
    this.world.start(host);
  }

  private breakSomething(host: Host): void {
    if (this.random.chance(70)) return this.world.crash(host, this.random.chance(50) ? 0 : this.random.integer(0, 6));
    if (this.random.chance(50)) return this.world.leave(host);
    // The whole machine stands still, and nobody in it knows for how long.
    const clock = this.clocks.get(host.id) as Clock;
    const pause = this.random.integer(1, 3_000_000);
    this.pass(pause);
    clock.missed += pause;
    host.now = this.localTime(clock);
    this.world.step(host, { type: "ClockStopped" });
  }

  /** A driver does one of the things that it owes. */
  private serve(host: Host, faults: boolean): void {
    const { random, world } = this;
    const { logJobs, fileJobs, handed } = host;
    if (host.hasLeft) return world.crash(host, 0);
    const dice = random.integer(0, logJobs.length * 2 + fileJobs.length + handed.length - 1);
    if (dice < logJobs.length * 2) world.doLogJob(host);
    else if (dice < logJobs.length * 2 + fileJobs.length) {
      world.doFileJob(host, random.pick([1, 3, 1_000]), this.luck(faults));
    } else world.apply(host, random.integer(1, handed.length));
  }

  private luck(faults: boolean): Luck {
    return this.random.pick<Luck>(faults ? ["well", "well", "well", "ahead", "badly"] : ["well", "ahead"]);
  }

  /** All of it at once, and some messages: one step. */
  private serveAll(host: Host, faults: boolean): void {
    const { random, world } = this;
    if (host.raft === null || host.hasLeft) return;
    const arriving = world.packets.filter(({ to }) => to === host.id).slice(0, random.integer(0, 5));
    world.gather(host, () => {
      for (const packet of arriving) this.deliver(Math.max(0, world.packets.indexOf(packet)), faults);
      for (let count = random.integer(0, 2); count > 0 && host.logJobs.length > 0; count--) world.doLogJob(host);
      if (random.chance(50) && host.fileJobs.length > 0) {
        world.doFileJob(host, random.pick([1, 3, 1_000]), this.luck(faults));
      }
      if (random.chance(50) && host.handed.length > 0) world.apply(host, host.handed.length);
      for (let count = random.integer(0, 2); count > 0 && !this.isQuiet; count--) this.propose(host);
      if (random.chance(30) && !this.isQuiet) world.read(host);
    });
  }

  /** Somebody asks something of somebody, mostly of one who leads. */
  private ask(faults: boolean): void {
    const { random, world } = this;
    const running = [...world.hosts.values()].filter(({ raft, hasLeft }) => raft !== null && !hasLeft);
    if (this.isQuiet || running.length === 0) return;
    const leaders = leadersOf(running);
    // One of them does not know yet that it leads no more: this is when a read goes wrong.
    if (leaders.length > 1 && random.chance(80)) return world.read(leaders[0] as Host);
    const host = random.pick(this.leadersOr(running, 85));
    const dice = random.integer(0, 99);
    if (dice < 40) this.propose(host);
    else if (dice < 75) world.read(random.pick(this.leadersOr(running, 60)));
    else if (!faults) return;
    else if (dice < 95 && this.changes) this.change(host);
    else if (dice >= 95) world.transfer(host, random.chance(50) ? null : random.pick([...world.hosts.keys()]));
  }

  /** @param at which one, counted from the oldest and beyond the last again */
  private deliver(at: number, faults: boolean): void {
    const { random, world } = this;
    const { packets } = world;
    if (packets.length === 0) return;
    const packet = packets[at % packets.length] as Packet;
    const isKept = faults && random.chance(10);
    if (!isKept) world.packets = packets.filter((other) => other !== packet);
    if (world.packets.length > MAX_PACKETS) world.packets = world.packets.slice(MAX_PACKETS / 3);
    if (faults && random.chance(this.loss)) return;
    if (this.getsThrough(packet)) world.deliver(packet);
  }

  private propose(host: Host): void {
    if (host.raft?.inspect().role !== "leader") return;
    const payload = new Uint8Array(8 + (this.random.oneIn(20) ? 99 : 0));
    new DataView(payload.buffer).setUint32(0, this.nextPayload++);
    this.world.propose(host, payload);
  }

  private change(host: Host): void {
    const { configuration } = host;
    expectThat(configuration !== null, "who runs knows a configuration");
    // Its voters are not to become fewer just now.
    if ([...this.world.hosts.values()].some((other) => this.hasLost(other))) return;
    const operations = [this.operation(configuration)];
    if (this.random.chance(40)) operations.push(this.operation(configuration));
    this.world.change(host, operations);
  }

  private operation(configuration: Configuration): ConfigurationOperation {
    const { random } = this;
    const role = random.pick<MemberRole>(["voter", "voter", "voter", "standby", "spare"]);
    const dice = random.integer(0, 99);
    // Not so few that nothing can fail any more.
    if (dice < 30 && votersOf(configuration).length > 1) {
      return { type: "remove", id: random.pick(configuration.members).id };
    }
    if (dice < 65) {
      const member = { ...random.pick(configuration.members), priority: random.pick([0, 100, 200]) };
      return { type: "put", member: { ...member, role } };
    }
    return { type: "put", member: newMember(this.newcomer(configuration), random.pick(["standby", role])) };
  }

  /** A member that is not of the configuration: one that runs already, or a node with an empty disk. */
  private newcomer(configuration: Configuration): MemberId {
    const outside = [...this.world.hosts.keys()].filter((id) => memberOf(configuration, id) === null);
    const nodes = new Set(everybodyIn(configuration).map(({ id }) => nodeOf(id)));
    const waiting = outside.filter((id) => !nodes.has(nodeOf(id)));
    if (waiting.length > 0 && this.random.chance(70)) return this.random.pick(waiting);
    if (this.world.hosts.size >= 8) return this.random.pick([...this.world.hosts.keys()]);
    this.nextLife += 1;
    const node = this.random.pick(["a", "b", "c", "d", "e", "f"]);
    const id = `${node}@${String(this.nextLife).padStart(16, "0")}` as MemberId;
    this.join(id);
    return id;
  }

  /** Time jumps to a timer. Without faults that is the next one, and all that was under way has arrived by then. */
  private tick(faults: boolean): void {
    const hosts = [...this.world.hosts.values()].filter(({ raft }) => raft !== null);
    if (!faults && (hosts.some(owes) || this.world.packets.length > 0)) return;
    const waiting = hosts
      .filter(({ timerAt }) => timerAt !== null)
      .map((host) => ({ host, wait: this.trueWait(host) }))
      .sort((a, b) => a.wait - b.wait);
    if (waiting[0] === undefined) return;
    const first = faults && this.random.chance(20) ? this.random.pick(waiting) : waiting[0];
    this.pass(first.wait + (faults && this.random.chance(20) ? this.random.integer(0, 200_000) : 0));
    this.world.fire(first.host);
  }

  /** How much true time passes until a host's clock shows what its timer was set to. */
  private trueWait({ id, timerAt, now }: Host): number {
    const { ppm } = this.clocks.get(id) as Clock;
    return Math.max(0, Math.ceil((((timerAt ?? now) - now + 1) * 1_000_000) / (1_000_000 + ppm)));
  }

  private pass(micros: number): void {
    this.trueNow += micros;
    for (const host of this.world.hosts.values()) host.now = this.localTime(this.clocks.get(host.id) as Clock);
  }

  private localTime({ ppm, missed }: Clock): Instant {
    const passed = this.trueNow - START - missed;
    return (START + passed + Math.floor((passed * ppm) / 1_000_000)) as Instant;
  }
}

/** Of the earliest term first. */
function leadersOf(hosts: readonly Host[]): readonly Host[] {
  const termOf = ({ raft }: Host): number => raft?.inspect().currentTerm ?? 0;
  return hosts.filter(({ raft }) => raft?.inspect().role === "leader").sort((a, b) => termOf(a) - termOf(b));
}

/** Whether its driver has something to do. */
function owes({ raft, hasLeft, logJobs, fileJobs, handed }: Host): boolean {
  return raft !== null && (hasLeft || logJobs.length + fileJobs.length + handed.length > 0);
}

function firstLife(node: string): MemberId {
  return `${node}@${"1".padStart(16, "0")}` as MemberId;
}

/** Small ones, so that every limit is met. */
function limitsOf(random: Random): RaftLimits {
  const isTiny = random.chance(60);
  return {
    ...DEFAULT_LIMITS,
    maxMessageEntries: random.pick([1, 2, 4096]),
    maxMessageBytes: random.pick([1, 20, 1_000_000]),
    maxInFlightMessages: random.pick([1, 2, 8]),
    maxInFlightBytes: random.pick([1, 30, 1_000_000]),
    maxCachedBytes: random.pick([0, 30, 1_000_000]),
    maxUncommittedBytes: 80,
    maxPayloadBytes: 20,
    snapshotEntries: isTiny ? random.pick([1, 4, 20]) : DEFAULT_LIMITS.snapshotEntries,
    snapshotBytes: isTiny ? random.pick([10, 100]) : DEFAULT_LIMITS.snapshotBytes,
    maxTrailingEntries: random.pick([0, 3]),
    snapshotChunkBytes: random.pick([1, 7, 1000]),
    maxSnapshotTransfers: random.pick([1, 2]),
  };
}
