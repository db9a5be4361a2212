/**
 * What the nemesis does to disks and to memory: the faults that a node cannot tell from its own doing. Damage befalls a
 * minority at a time (membership.ts counts who is damaged), and only places that damage.ts's rules allow.
 */
import { IDENTITY_FILE } from "../core/storage/identity-file.ts";
import { MANIFEST_FILE } from "../core/storage/manifest.ts";
import { TERM_FILE } from "../core/storage/term-file.ts";
import type { Chance, Dice } from "./chance.ts";
import type { Cluster } from "./cluster.ts";
import { DamageRules } from "./damage-rules.ts";
import type { SimulatedFile } from "./file.ts";
import type { Remedy } from "./halts.ts";
import { drawDelay } from "./latency.ts";
import type { FaultIntervals, Plan } from "./plan.ts";
import { SECTOR_SIZE } from "./power-loss.ts";
import type { NodeProcess } from "./process.ts";
import type { FaultKind, Tally } from "./tally.ts";
import { inSeconds } from "./words.ts";

const US_PER_MS = 1000;
/** Sectors that fail together. */
const MAX_SECTORS = 16;
/** How often a place is drawn, before another time is waited for. */
const TRIES = 8;
/** A process that hangs is killed then, by whoever watches it. */
const HUNG_US = [20 * US_PER_MS, 1500 * US_PER_MS] as const;
const FLIP_TRIES = 50;
/** Few of many files. */
const TWINS: readonly string[] = [TERM_FILE, IDENTITY_FILE, MANIFEST_FILE];

/** What it needs of the nemesis. */
export interface Breaker {
  readonly isActive: boolean;
  repeat(name: string, meanMs: number, act: (dice: Dice) => void): void;
  crashNode(node: NodeProcess, losePower: boolean): void;
  pickRunning(count: number, dice: Dice): NodeProcess[];
}

export class DiskNemesis {
  private readonly breaker: Breaker;
  private readonly cluster: Cluster;
  private readonly plan: Plan;
  private readonly chance: Chance;
  private readonly tally: Tally;

  constructor(breaker: Breaker, cluster: Cluster, chance: Chance, tally: Tally) {
    this.breaker = breaker;
    this.cluster = cluster;
    this.plan = cluster.plan;
    this.chance = chance;
    this.tally = tally;
  }

  start(): void {
    this.repeat("slowDisk", (dice) => this.slow(dice));
    this.repeat("hungDisk", (dice) => this.hang(dice));
    this.repeat("failingDisk", (dice) => this.fail(dice));
    this.repeat("fullDisk", (dice) => this.fill("fullDisk", this.minority(dice), dice));
    this.repeat("fullDisks", (dice) => this.fill("fullDisks", this.cluster.nodes, dice));
    this.repeat("diskLoss", (dice) => this.loseDisk(dice));
    this.repeat("bitRot", (dice) => this.damage((node) => this.rot(node, dice), dice));
    this.repeat("latentError", (dice) => this.damage((node) => this.spoil(node, dice), dice));
    this.repeat("misdirectedWrite", (dice) => this.damage((node) => this.misdirect(node, dice), dice));
    this.repeat("misdirectedRead", (dice) => this.damage((node) => this.misread(node, dice), dice));
    this.repeat("memoryFlip", (dice) => this.flip(FLIP_TRIES, dice));
  }

  private repeat(name: keyof FaultIntervals, act: (dice: Dice) => void): void {
    this.breaker.repeat(name, this.plan.faults[name], act);
  }

  /** What does not end by itself ends now. Damage stays. */
  heal(nodes: readonly NodeProcess[]): void {
    for (const node of nodes) {
      if (node.disk.isHung && node.machine !== null) this.breaker.crashNode(node, false);
      node.disk.heal();
    }
  }

  /** A process has stopped by itself, as it had to. */
  halted(node: NodeProcess, remedy: Remedy): void {
    this.breaker.crashNode(node, false);
    if (remedy === "replaceDisk") this.cluster.loseDisk(node);
    // Somebody looks after it; maybe too late for the next start.
    const { disk } = node;
    if (!disk.isFailing) return;
    const dice = this.chance.stream(`${node.id} mend`).next();
    this.cluster.after(drawDelay(dice, this.plan.failingMs * US_PER_MS), () => disk.mend());
  }

  // Disks that are late.

  private slow(dice: Dice): void {
    const until = this.cluster.now + drawDelay(dice, this.plan.stallMs * US_PER_MS);
    const node = dice.pick(this.cluster.nodes);
    dice.happened(() => `the disk of ${node.id} is slow until ${inSeconds(until)}`);
    node.disk.stall(until);
  }

  private hang(dice: Dice): void {
    const [node] = this.breaker.pickRunning(1, dice);
    if (node === undefined || node.disk.isHung) return;
    const delay = dice.integer(...HUNG_US);
    const { life } = node;
    dice.happened(() => `the disk of ${node.id} hangs`);
    node.disk.hang(this.cluster.now + 2 * HUNG_US[1]);
    this.cluster.after(delay, () => {
      if (node.life !== life || node.machine === null || !node.disk.isHung) return;
      this.breaker.crashNode(node, dice.chance(this.plan.powerLossPercent));
    });
  }

  // Disks that say no.

  private fail(dice: Dice): void {
    const [node] = this.breaker.pickRunning(1, dice);
    if (node === undefined || node.disk.isFailing) return;
    const failing = dice.oneIn(2) ? "write" : "sync";
    dice.happened(() => `every ${failing} of the disk of ${node.id} fails`);
    node.disk.fail(failing);
  }

  private fill(kind: "fullDisk" | "fullDisks", nodes: readonly NodeProcess[], dice: Dice): void {
    const disks = nodes.map(({ disk }) => disk).filter(({ isFull }) => !isFull);
    if (disks.length === 0) return;
    dice.happened(() => `no space is left on ${nodes.map(({ id }) => id).join(" ")}`);
    for (const disk of disks) disk.limit(dice.integer(0, this.plan.freeBytes), kind);
    this.cluster.after(drawDelay(dice, this.plan.fullMs * US_PER_MS), () => {
      for (const disk of disks) disk.unlimit();
    });
  }

  /** In the middle of a checkpoint, of a merge or of a snapshot that comes in. */
  fillInWrite(node: NodeProcess): void {
    const dice = this.chance.stream(`${node.id} fullInWrite`).next();
    if (!dice.chance(this.plan.fullInWritePercent) || dice.isLeftOut) return;
    const { accessUs, syncUs } = this.plan.disk;
    this.cluster.after(dice.integer(1, 4 * (accessUs + syncUs)), () => {
      if (this.breaker.isActive) this.fill("fullDisk", [node], dice);
    });
  }

  fillAtStart(node: NodeProcess): void {
    const dice = this.chance.stream(`${node.id} fullAtStart`).next();
    if (dice.chance(this.plan.fullAtStartPercent) && !dice.isLeftOut) this.fill("fullDisk", [node], dice);
  }

  /** Some nodes, fewer than half of all. */
  private minority(dice: Dice): readonly NodeProcess[] {
    const { nodes } = this.cluster;
    return nodes.filter(() => dice.oneIn(2)).slice(0, Math.max(1, Math.floor((nodes.length - 1) / 2)));
  }

  // Disks that are wrong, or gone.

  /** A disk is lost for good: its node comes back with an empty one. */
  private loseDisk(dice: Dice): void {
    const victim = this.pickVictim(dice);
    if (victim === null) return;
    const { node, isMember } = victim;
    this.tally.inject("diskLoss");
    if (isMember) this.tally.effect("diskLoss");
    dice.happened(() => `${node.id} loses its disk`);
    if (node.machine !== null) this.breaker.crashNode(node, true);
    this.cluster.loseDisk(node);
  }

  /** A disk that lies still is damaged: what its process said when it was last up, it may not find any more. */
  harm(node: NodeProcess, dice: Dice): void {
    this.damageOf(this.victimAt(node), (one) => (dice.oneIn(2) ? this.rot(one, dice) : this.spoil(one, dice)));
  }

  private damage(act: (node: NodeProcess) => boolean, dice: Dice): void {
    this.damageOf(this.pickVictim(dice), act);
  }

  /** Never so many that no quorum has its disks. `act`: whether it has been damaged. */
  private damageOf(victim: Victim | null, act: (node: NodeProcess) => boolean): void {
    // Where there was none, there is none: an empty disk has nothing that can be damaged.
    if (victim === null || victim.node.life === 0) return;
    for (let tries = 0; tries < TRIES; tries++) if (act(victim.node)) return;
  }

  private pickVictim(dice: Dice): Victim | null {
    return this.victimAt(dice.pick(this.cluster.nodes));
  }

  /** null: its disk may not be damaged. */
  private victimAt(node: NodeProcess): Victim | null {
    const { membership } = this.cluster;
    const settled = membership.settled();
    if (settled === null) return null;
    const id = membership.idOf(node);
    if (id === null || !node.isUsed || !membership.lives(settled.configuration, id)) return null;
    return { node, isMember: settled.configuration.members.some((member) => member.id === id) };
  }

  private rot(node: NodeProcess, dice: Dice): boolean {
    const drawn = this.drawByte(node, dice);
    if (drawn === null) return false;
    const { name, file, offset, rules } = drawn;
    const verdict = rules.change(name, offset, offset + 1);
    if (verdict === "never") return false;
    this.tally.inject("bitRot");
    this.note("bitRot", node, `a bit rots in ${name} at ${offset}`, verdict, dice);
    file.rot(offset, 1 << dice.integer(0, 7), verdict === "vital");
    return true;
  }

  private spoil(node: NodeProcess, dice: Dice): boolean {
    const drawn = this.drawByte(node, dice);
    if (drawn === null) return false;
    const { name, file, offset, rules } = drawn;
    const sector = Math.floor(offset / SECTOR_SIZE);
    const count = dice.oneIn(2) ? 1 : dice.integer(1, MAX_SECTORS);
    const verdict = rules.hide(name, sector * SECTOR_SIZE, (sector + count) * SECTOR_SIZE);
    if (verdict === "never") return false;
    this.tally.inject("latentError");
    this.note("latentError", node, `${count} sectors of ${name} from ${sector} on cannot be read`, verdict, dice);
    file.spoil(sector, count, verdict === "vital", rules.hasTwins(name));
    return true;
  }

  private misdirect(node: NodeProcess, dice: Dice): boolean {
    const source = this.drawByte(node, dice);
    const target = this.drawByte(node, dice);
    const write = source?.file.misdirectable ?? null;
    if (source === null || target === null || write === null) return false;
    const { rules } = source;
    const end = write.offset + write.bytes.length;
    const at = target.offset - (target.offset % SECTOR_SIZE);
    const reach = Math.min(target.file.durableSize, at + write.bytes.length);
    const isMissed = { name: source.name, from: write.offset, end };
    if (!rules.misdirect(isMissed, { name: target.name, from: at, end: reach })) return false;
    this.tally.inject("misdirectedWrite");
    const what = `the write to ${source.name} at ${write.offset} has gone to ${target.name} at ${at}`;
    this.note("misdirectedWrite", node, what, "vital", dice);
    source.file.misdirect(target.file, at);
    return true;
  }

  private misread(node: NodeProcess, dice: Dice): boolean {
    if (node.disk.isMisreading) return true;
    this.note("misdirectedRead", node, "a read is about to be misdirected", "vital", dice);
    node.disk.misread((name, from, end) => new DamageRules(node.disk).misread(name, from, end));
    return true;
  }

  private flip(tries: number, dice: Dice): void {
    const victim = this.pickVictim(dice);
    if (victim === null || !victim.isMember || victim.node.machine === null) return;
    const { node } = victim;
    // One at a time, and while nobody else has to be filled: what it stores, wrong as it is, it may send.
    if (this.cluster.nodes.some((other) => other.isFlipped || this.cluster.membership.isDamaged(other))) return;
    const { life } = node;
    if (node === this.cluster.membership.leader()) return;
    if (this.cluster.mishaps.flipMemory(node, dice)) {
      dice.happened(() => `a byte flips in the memory of ${node.id}`);
      return this.tally.inject("memoryFlip");
    }
    if (tries === 0) return;
    this.cluster.after(dice.integer(1, 5 * US_PER_MS), () => {
      if (this.breaker.isActive && node.life === life) this.flip(tries - 1, dice);
    });
  }

  private note(
    kind: FaultKind, node: NodeProcess, what: string, verdict: "vital" | "mendable", dice: Dice,
  ): void {
    dice.happened(() => `${node.id}: ${what}`);
    this.cluster.tell({ type: "Struck", kind, node: node.id, text: `${what} (${verdict})` });
    if (verdict === "vital") this.cluster.membership.damage(node);
  }

  /** A byte of a file that is durably there. Each file is as likely as the next, those that stand twice more so. */
  private drawByte(node: NodeProcess, dice: Dice): DrawnByte | null {
    const { disk } = node;
    const names = disk.listDurable().filter((name) => (disk.durableFile(name)?.durableSize ?? 0) > 0);
    if (names.length === 0) return null;
    const twins = names.filter((one) => TWINS.includes(one));
    const name = dice.pick(twins.length > 0 && dice.oneIn(4) ? twins : names);
    const file = disk.durableFile(name)!;
    return { name, file, offset: dice.integer(0, file.durableSize - 1), rules: new DamageRules(disk) };
  }
}

interface Victim {
  readonly node: NodeProcess;
  readonly isMember: boolean;
}

interface DrawnByte {
  readonly name: string;
  readonly file: SimulatedFile;
  readonly offset: number;
  readonly rules: DamageRules;
}
