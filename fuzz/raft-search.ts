/**
 * Tries everything: from a cluster in some situation, every order in which timers may fire, messages arrive (late,
 * twice, or never), disks finish, members crash and come back, and requests be made, breadth first and up to a bound.
 * After each step the laws and the reference judge (raft-world.ts). What is found first is found by a shortest way.
 *
 * The one hard idea is what makes a state the same as another. Time is told relative to each member's own clock, which
 * moves only when its timer fires: so timers fire whenever they please. Dice always show the same. What the reference
 * remembers (votes, leaders, what was committed) is part of the state, as its judgement depends on it. A member's state
 * is copied only when it steps, and told by a number given to its full text, so no two states are ever confused.
 */
import { Random } from "../core/random.ts";
import type { ConfigurationOperation } from "../core/raft/configuration.ts";
import type { Message } from "../core/raft/message.ts";
import type { Instant, MemberId } from "../core/types.ts";
import { copy, textOf } from "./raft-clone.ts";
import { World, type Host, type Packet } from "./raft-world.ts";

/** Far above any other number in a state: so an instant is known by its size. */
export const SEARCH_START = 5_000_000_000_000_000 as Instant;

/** How much of each may happen. */
export interface Budget {
  readonly timeouts: number;
  readonly crashes: number;
  readonly duplicates: number;
  readonly proposals: number;
  readonly reads: number;
  /** Each may be asked for once, in this order, of whoever leads. */
  readonly changes: readonly (readonly ConfigurationOperation[])[];
  readonly transfers: number;
}

export interface SearchOptions {
  readonly budget: Partial<Budget>;
  /** Nobody stands for election in a term above it. */
  readonly maxTerm: number;
  /** Disks finish at once: then all the rest is searched deeper. */
  readonly fastDisks: boolean;
  readonly maxStates: number;
}

export interface Report {
  readonly states: number;
  readonly transitions: number;
  /** All states that can be reached by so many events were visited. */
  readonly depth: number;
  /** Nothing was left to be tried within the budget. */
  readonly isComplete: boolean;
}

interface State {
  readonly world: World;
  readonly budget: Budget;
  /** How it came about. */
  readonly event: string;
  readonly before: State | null;
}

interface Event {
  readonly name: string;
  /** Whose state it changes. */
  readonly id: MemberId;
  readonly spend: Partial<Budget>;
  readonly happen: (world: World, host: Host) => void;
}

const NOTHING: Budget = { timeouts: 0, crashes: 0, duplicates: 0, proposals: 0, reads: 0, changes: [], transfers: 0 };

export class Search {
  private readonly options: SearchOptions;
  private readonly visited = new Set<string>();
  /** Texts by number, and the numbers of what has been told before. */
  private readonly numbers = new Map<string, number>();
  private readonly known = new WeakMap<object, number>();
  private transitions = 0;

  constructor(options: SearchOptions) {
    this.options = options;
  }

  run(world: World): Report {
    for (const { raft } of world.hosts.values()) stopDice(raft);
    const budget = { ...NOTHING, ...this.options.budget };
    let frontier: State[] = [{ world, budget, event: "start", before: null }];
    this.isNew(frontier[0] as State);
    let depth = 0;
    for (; frontier.length > 0 && this.visited.size < this.options.maxStates; depth++) {
      const next: State[] = [];
      for (const state of frontier) {
        if (this.visited.size >= this.options.maxStates) return this.report(depth, false);
        for (const event of this.eventsOf(state)) {
          const after = this.after(state, event);
          if (this.isNew(after)) next.push(after);
        }
      }
      frontier = next;
    }
    return this.report(depth, frontier.length === 0);
  }

  private report(depth: number, isComplete: boolean): Report {
    return { states: this.visited.size, transitions: this.transitions, depth, isComplete };
  }

  private after(state: State, event: Event): State {
    const world = new World(state.world.options, state.world);
    const host = copyOf(state.world.hosts.get(event.id) as Host);
    world.hosts.set(host.id, host);
    const budget = { ...state.budget, ...event.spend };
    const after: State = { world, budget, event: event.name, before: state };
    this.transitions += 1;
    try {
      event.happen(world, host);
      this.settle(world, host);
    } catch (cause) {
      throw new Error(`${String(cause)}\nafter\n${scheduleOf(after)}`, { cause });
    }
    return after;
  }

  /** What is not searched happens at once: the application, reads from the disk, and fast disks. */
  private settle(world: World, host: Host): void {
    for (;;) {
      if (host.raft === null) return;
      if (host.handed.length > 0) world.apply(host, host.handed.length);
      else if (host.fileJobs.length > 0) world.doFileJob(host, Infinity);
      else if (this.options.fastDisks && host.logJobs.length > 0) world.doLogJob(host);
      else return;
    }
  }

  private eventsOf({ world, budget }: State): readonly Event[] {
    const events: Event[] = [];
    for (const host of world.hosts.values()) events.push(...this.eventsAt(host, budget));
    const seen = new Set<string>();
    for (const packet of world.packets) {
      const key = this.numberOfPacket(packet);
      if (seen.has(key) || !world.hosts.has(packet.to)) continue;
      seen.add(key);
      const name = `${packet.from} → ${packet.to} ${JSON.stringify(packet.message)}`;
      const arrive = (isKept: boolean) => (after: World): void => {
        if (!isKept) after.packets = after.packets.filter((each) => each !== packet);
        after.deliver(packet);
      };
      events.push({ name: `deliver ${name}`, id: packet.to, spend: {}, happen: arrive(false) });
      if (budget.duplicates === 0) continue;
      const spend = { duplicates: budget.duplicates - 1 };
      events.push({ name: `deliver, and keep, ${name}`, id: packet.to, spend, happen: arrive(true) });
    }
    return events;
  }

  private eventsAt(host: Host, budget: Budget): readonly Event[] {
    const { id, raft } = host;
    const events: Event[] = [];
    const offer = (name: string, spend: Partial<Budget>, happen: Event["happen"]): void => {
      events.push({ name: `${name} ${id}`, id, spend, happen });
    };
    const state = raft?.inspect();
    if (state === undefined) return [];
    if (host.logJobs.length > 0) offer("disk", {}, (world, own) => world.doLogJob(own));
    if (budget.crashes > 0) {
      offer("crash and restart", { crashes: budget.crashes - 1 }, (world, own) => {
        world.crash(own, 0);
        world.start(own);
        stopDice(own.raft);
      });
    }
    const mayFire = state.role === "leader" || state.currentTerm < this.options.maxTerm;
    if (budget.timeouts > 0 && host.timerAt !== null && mayFire) {
      offer("timeout", { timeouts: budget.timeouts - 1 }, (world, own) => world.fire(own));
    }
    if (budget.reads > 0) offer("read", { reads: budget.reads - 1 }, (world, own) => world.read(own));
    if (state.role !== "leader") return events;
    if (budget.proposals > 0) {
      const payload = Uint8Array.of(budget.proposals);
      offer("propose", { proposals: budget.proposals - 1 }, (world, own) => world.propose(own, payload));
    }
    const [change, ...changes] = budget.changes;
    if (change !== undefined) offer("change", { changes }, (world, own) => world.change(own, change));
    if (budget.transfers > 0) {
      offer("transfer", { transfers: budget.transfers - 1 }, (world, own) => world.transfer(own, null));
    }
    return events;
  }

  private isNew({ world, budget }: State): boolean {
    const { votes, leaders, committed } = world.reference;
    const hosts = [...world.hosts.values()].map((host) => this.numberOfHost(host));
    const packets = world.packets.map((packet) => this.numberOfPacket(packet)).sort();
    const history = [[...votes].sort(), [...leaders].sort(), committed.map(({ term }) => term)];
    const left = Object.values(budget).map((each) => (Array.isArray(each) ? each.length : String(each)));
    const key = `${hosts.join()};${packets.join()};${JSON.stringify(history)};${left.join()}`;
    const count = this.visited.size;
    return this.visited.add(key).size > count;
  }

  private numberOfHost(host: Host): number {
    return this.numberOf(host, () => textOf(host, host.now, SEARCH_START));
  }

  private numberOfPacket({ from, to, message }: Packet): string {
    return `${from}${to}${this.numberOf(message, () => JSON.stringify(message))}`;
  }

  private numberOf(value: Host | Message, tell: () => string): number {
    let number = this.known.get(value);
    if (number === undefined) {
      const text = tell();
      number = this.numbers.get(text) ?? this.numbers.size;
      this.numbers.set(text, number);
      this.known.set(value, number);
    }
    return number;
  }
}

function copyOf(host: Host): Host {
  const { raft, ...rest } = host;
  return { ...rest, raft: copy(raft) };
}

/** A generator whose whole state is zero stays there: each draw is the least one possible. */
function stopDice(value: unknown, seen = new Set<unknown>()): void {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || seen.has(value)) return;
  seen.add(value);
  if (value instanceof Random) Object.assign(value, { a: 0, b: 0, c: 0, d: 0 });
  else for (const each of Object.values(value)) stopDice(each, seen);
}

function scheduleOf(state: State): string {
  const events: string[] = [];
  for (let each: State | null = state; each !== null; each = each.before) events.unshift(each.event);
  return events.join("\n");
}
