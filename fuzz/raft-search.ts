/**
 * Tries everything: from a cluster in some situation, every order in which timers may fire, messages arrive (late,
 * twice, or never), disks finish, members crash and come back, and requests be made, up to a bound. After each step the
 * laws and the reference judge (raft-world.ts).
 *
 * The bound counts *choices*. Left alone, disks finish at once, then the oldest message arrives. To postpone, to lose
 * or to repeat that message, to stall a disk, or to let anything else happen (a timer, a crash, a request) is a choice.
 * All schedules of one choice are tried before any of two, and so on: so few choices reach deep into elections and
 * changes of membership, at every point of them, and what is found first is found by the fewest choices.
 *
 * The one hard idea is what makes a state the same as another. Time is told relative to each member's own clock, which
 * moves only when its timer fires: so timers fire whenever they please. Dice always show the same. What the reference
 * remembers (votes, leaders, what was committed) is part of the state, as its judgement depends on it. A member's state
 * is copied only when it steps, and told by a number given to its full text, so no two states are ever confused.
 */
import { Random } from "../core/random.ts";
import type { ConfigurationOperation } from "../core/raft/configuration.ts";
import type { Instant, MemberId } from "../core/types.ts";
import { copy, numberOfFrozen, numberOfText, textOf } from "./raft-clone.ts";
import type { Host } from "./raft-member.ts";
import { World, type Packet } from "./raft-world.ts";

/** Far above any other number in a state: so an instant is known by its size. */
export const SEARCH_START = 5_000_000_000_000_000 as Instant;

/** How much of each may happen; of what befalls messages and disks, as much as there are choices. */
export interface Budget {
  readonly timeouts: number;
  readonly crashes: number;
  readonly proposals: number;
  readonly reads: number;
  readonly transfers: number;
  /** Each may be asked for once, in this order, of whoever leads. */
  readonly changes: readonly (readonly ConfigurationOperation[])[];
}

export interface SearchOptions {
  readonly budget: Partial<Budget>;
  /** Nobody stands for election in a term above it. */
  readonly maxTerm: number;
  readonly maxStates: number;
}

export interface Report {
  readonly states: number;
  readonly transitions: number;
  /** All schedules of so many choices were tried. */
  readonly choices: number;
  /** The longest of them had so many events. */
  readonly events: number;
  /** Nothing was left to be tried within the budget. */
  readonly isComplete: boolean;
}

interface State {
  readonly world: World;
  readonly budget: Budget;
  /** Whose disks finish only when nothing else is due. */
  readonly stalled: readonly MemberId[];
  /** How it came about, and after how many events. */
  readonly event: string;
  readonly count: number;
  readonly before: State | null;
}

interface Event {
  readonly name: string;
  /** It happens if nothing else is chosen. */
  readonly isDue?: boolean;
  readonly spend?: Partial<Budget>;
  readonly stalled?: readonly MemberId[];
  /** Whose state it changes; absent: nobody's. */
  readonly id?: MemberId;
  readonly happen: (world: World, host: Host) => void;
}

const NOTHING: Budget = { timeouts: 0, crashes: 0, proposals: 0, reads: 0, transfers: 0, changes: [] };

export class Search {
  private readonly options: SearchOptions;
  private readonly visited = new Set<string>();
  /** The numbers of members' states. */
  private readonly known = new WeakMap<Host, number>();
  private transitions = 0;
  private longest = 0;

  constructor(options: SearchOptions) {
    this.options = options;
  }

  run(world: World): Report {
    for (const { raft } of world.hosts.values()) stopDice(raft);
    const budget = { ...NOTHING, ...this.options.budget };
    let states: State[] = [{ world, budget, stalled: [], event: "start", count: 0, before: null }];
    this.isNew(states[0] as State);
    for (let choices = 0; ; choices++) {
      const next: State[] = [];
      // What is due goes on in the same list, which grows while it is walked.
      for (const state of states) {
        if (this.visited.size >= this.options.maxStates) return this.report(choices - 1, false);
        for (const event of eventsOf(state, this.options.maxTerm)) {
          const after = this.after(state, event);
          if (this.isNew(after)) (event.isDue === true ? states : next).push(after);
        }
      }
      if (next.length === 0) return this.report(choices, true);
      states = next;
    }
  }

  private report(choices: number, isComplete: boolean): Report {
    return { states: this.visited.size, transitions: this.transitions, choices, events: this.longest, isComplete };
  }

  private after(state: State, event: Event): State {
    const world = new World(state.world.options, state.world);
    const budget = { ...state.budget, ...event.spend };
    const { stalled = state.stalled, name } = event;
    const after: State = { world, budget, stalled, event: name, count: state.count + 1, before: state };
    this.transitions += 1;
    this.longest = Math.max(this.longest, after.count);
    try {
      const host = event.id === undefined ? null : copyOf(state.world.hosts.get(event.id) as Host);
      if (host !== null) world.hosts.set(host.id, host);
      event.happen(world, host as Host);
      if (host !== null) settle(world, host);
    } catch (cause) {
      throw new Error(`${String(cause)}\nafter\n${scheduleOf(after)}`, { cause });
    }
    return after;
  }

  private isNew({ world, budget, stalled }: State): boolean {
    const { votes, leaders, committed, takenBack } = world.reference;
    const { changes, ...counts } = budget;
    const parts: (string | number)[] = [changes.length, ...Object.values(counts), ...stalled, ";"];
    for (const host of world.hosts.values()) parts.push(this.numberOf(host));
    for (const packet of world.packets) parts.push(numberOfFrozen(packet));
    const terms = committed.map(({ term }) => term).join();
    parts.push(";", [...takenBack].join(), [...votes].sort().join(), [...leaders].sort().join(), terms);
    const before = this.visited.size;
    return this.visited.add(parts.join(" ")).size > before;
  }

  private numberOf(host: Host): number {
    const number = this.known.get(host) ?? numberOfText(textOf(host, host.now, SEARCH_START));
    this.known.set(host, number);
    return number;
  }
}

function eventsOf(state: State, maxTerm: number): readonly Event[] {
  const { world, budget, stalled } = state;
  const hosts = [...world.hosts.values()];
  const busy = hosts.filter(({ logJobs }) => logJobs.length > 0);
  const due = dueDisk(busy.filter(({ id }) => !stalled.includes(id))) ?? duePacket(world) ?? dueDisk(busy);
  const events: Event[] = due === null ? [] : [due];
  for (const host of hosts) events.push(...eventsAt(host, budget, maxTerm));
  for (const { id } of busy) {
    if (stalled.includes(id)) continue;
    events.push({ name: `stall ${id}`, stalled: [...stalled, id].sort(), happen: () => {} });
  }
  if (due?.name.startsWith("deliver") === true) events.push(...misfortunesOf(world));
  return events;
}

function dueDisk(busy: readonly Host[]): Event | null {
  const id = busy[0]?.id;
  if (id === undefined) return null;
  return { name: `disk ${id}`, isDue: true, id, happen: (world, own) => world.doLogJob(own) };
}

function nameOf({ from, to, message }: Packet): string {
  return `${from} → ${to} ${JSON.stringify(message)}`;
}

function duePacket({ packets }: World): Event | null {
  const [packet, ...others] = packets;
  if (packet === undefined) return null;
  const happen = (world: World): void => {
    world.packets = others;
    world.deliver(packet);
  };
  return { name: `deliver ${nameOf(packet)}`, isDue: true, id: packet.to, happen };
}

/** What else may become of the message that is due. */
function misfortunesOf({ packets }: World): readonly Event[] {
  const [packet, ...others] = packets as readonly [Packet, ...Packet[]];
  const move = (to: readonly Packet[]) => (world: World): void => {
    world.packets = to;
  };
  const repeat = (world: World): void => {
    world.packets = [...others, packet];
    world.deliver(packet);
  };
  const lose: Event = { name: `lose ${nameOf(packet)}`, happen: move(others) };
  const twice: Event = { name: `repeat ${nameOf(packet)}`, id: packet.to, happen: repeat };
  const late: Event = { name: `postpone ${nameOf(packet)}`, happen: move([...others, packet]) };
  return others.length === 0 ? [lose, twice] : [lose, twice, late];
}

/** What a member may do of its own accord, or be asked. */
function eventsAt(host: Host, budget: Budget, maxTerm: number): readonly Event[] {
  const state = host.raft?.inspect();
  if (state === undefined) return [];
  const { id } = host;
  const { timeouts, crashes, reads, proposals, transfers, changes: [change, ...changes] } = budget;
  const isLeader = state.role === "leader";
  const events: (Event | false)[] = [
    timeouts > 0 && host.timerAt !== null && (isLeader || state.currentTerm < maxTerm) &&
      { name: `timeout ${id}`, id, spend: { timeouts: timeouts - 1 }, happen: (world, own) => world.fire(own) },
    crashes > 0 && { name: `crash and restart ${id}`, id, spend: { crashes: crashes - 1 }, happen: crash },
    reads > 0 && { name: `read ${id}`, id, spend: { reads: reads - 1 }, happen: (world, own) => world.read(own) },
    isLeader && proposals > 0 && {
      name: `propose ${id}`, id, spend: { proposals: proposals - 1 },
      happen: (world, own) => world.propose(own, Uint8Array.of(proposals)),
    },
    isLeader && transfers > 0 && {
      name: `transfer ${id}`, id, spend: { transfers: transfers - 1 },
      happen: (world, own) => world.transfer(own, null),
    },
    isLeader && change !== undefined &&
      { name: `change ${id}`, id, spend: { changes }, happen: (world, own) => world.change(own, change) },
  ];
  return events.filter((event) => event !== false);
}

function crash(world: World, host: Host): void {
  world.crash(host, 0);
  world.start(host);
  stopDice(host.raft);
}

/** What is not searched happens at once: the application, and reads from the disk. */
function settle(world: World, host: Host): void {
  while (host.handed.length + host.fileJobs.length > 0) {
    if (host.handed.length > 0) world.apply(host, host.handed.length);
    else world.doFileJob(host, Infinity);
  }
}

function copyOf(host: Host): Host {
  const { raft, ...rest } = host;
  return { ...rest, raft: copy(raft) };
}

/** A generator whose whole state is zero stays there: each draw is the least one possible. */
function stopDice(value: unknown, seen = new Set<unknown>()): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || seen.has(value)) return;
  seen.add(value);
  if (value instanceof Random) Object.assign(value, { a: 0, b: 0, c: 0, d: 0 });
  else for (const each of Object.values(value)) stopDice(each, seen);
}

function scheduleOf(state: State): string {
  const events: string[] = [];
  for (let each: State | null = state; each !== null; each = each.before) events.unshift(each.event);
  return events.join("\n");
}
