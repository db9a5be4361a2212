/**
 * Every order of events from some beginnings, as far as the bound allows (raft-search.ts): a safety bug that a few
 * events bring about is found here surely, and by a shortest way. `FUZZ_SCALE=… npx vitest run
 * fuzz/raft-search.test.ts` visits so many times as many states.
 */
import { expect, test } from "vitest";
import { DEFAULT_LIMITS, type RaftLimits } from "../core/raft/boundary.ts";
import { foundingConfiguration, newMember } from "../core/raft/configuration.ts";
import type { ConfigurationOperation, MemberRole } from "../core/raft/configuration.ts";
import type { MemberId } from "../core/types.ts";
import { FUZZ_SCALE } from "./chance.ts";
import { Search, SEARCH_START, type SearchOptions } from "./raft-search.ts";
import type { Host } from "./raft-member.ts";
import { World } from "./raft-world.ts";

const A = "a" as MemberId;
const B = "b" as MemberId;
const C = "c" as MemberId;

/** Timeouts are as short as heartbeats: every time a leader's timer fires it may find its quorum lost. */
function cluster(
  founders: readonly MemberId[], joining: readonly MemberId[] = [], limits: Partial<RaftLimits> = {},
): World {
  const world = new World({
    founding: foundingConfiguration(founders),
    timing: { heartbeatMs: 100, electionTimeoutMs: 100 },
    limits: { ...DEFAULT_LIMITS, maxMessageEntries: 1, maxInFlightMessages: 2, ...limits },
    leaseDriftPpm: null,
    roles: null,
    version: 1,
  });
  for (const id of [...founders, ...joining]) world.join(id, SEARCH_START);
  return world;
}

const hostOf = (world: World, id: MemberId): Host => world.hosts.get(id) as Host;

/** Whatever is due happens among these, until nothing is; the others hear nothing, and are not heard. */
function settle(world: World, among: readonly MemberId[] = [A, B, C]): void {
  for (let isBusy = true; isBusy;) {
    isBusy = false;
    for (const host of world.hosts.values()) {
      for (; host.logJobs.length > 0; isBusy = true) world.doLogJob(host);
      for (; host.fileJobs.length > 0; isBusy = true) world.doFileJob(host, Infinity);
      for (; host.handed.length > 0; isBusy = true) world.apply(host, Infinity);
    }
    for (const packet of world.packets) {
      world.packets = world.packets.filter((each) => each !== packet);
      if (among.includes(packet.from) && among.includes(packet.to)) world.deliver(packet);
      isBusy = true;
    }
  }
}

function elect(world: World, id: MemberId, among?: readonly MemberId[]): World {
  world.fire(hostOf(world, id));
  settle(world, among);
  expect(hostOf(world, id).raft?.inspect().role).toBe("leader");
  return world;
}

/** Nothing is delivered. */
function propose(world: World, id: MemberId): World {
  world.propose(hostOf(world, id), Uint8Array.of(1));
  return world;
}

function change(world: World, operations: readonly ConfigurationOperation[], isSettled = false): World {
  const leader = [...world.hosts.values()].find(({ raft }) => raft?.inspect().role === "leader") as Host;
  world.change(leader, operations);
  if (isSettled) {
    settle(world);
    // A newcomer is looked for with the next heartbeat.
    world.fire(leader);
    settle(world);
  }
  expect(leader.configuration?.outgoing.length === 0).toBe(isSettled);
  return world;
}

interface Beginning {
  readonly name: string;
  readonly begin: () => World;
  readonly options: Omit<SearchOptions, "maxStates">;
}

const add = (id: MemberId, role: MemberRole): ConfigurationOperation => ({ type: "put", member: newMember(id, role) });
const remove = (id: MemberId): ConfigurationOperation => ({ type: "remove", id });

const beginnings: readonly Beginning[] = [
  {
    name: "three that have just been founded",
    begin: () => cluster([A, B, C]),
    options: { budget: { timeouts: 3, crashes: 1 }, maxTerm: 2 },
  },
  {
    name: "three, one of which has proposed",
    begin: () => propose(elect(cluster([A, B, C]), A), A),
    options: { budget: { timeouts: 3, crashes: 2 }, maxTerm: 3 },
  },
  {
    name: "three, of which two lead, with entries of their own",
    begin: () => {
      const world = propose(elect(cluster([A, B, C]), A), A);
      settle(world, [A]);
      // c has heard of no leader for long enough to listen to another.
      world.fire(hostOf(world, C));
      settle(world, [C]);
      return propose(elect(world, B, [B, C]), B);
    },
    options: { budget: { timeouts: 3, crashes: 1, proposals: 1, reads: 1 }, maxTerm: 4 },
  },
  {
    name: "two of which three become",
    begin: () => change(change(elect(cluster([A, B], [C]), A), [add(C, "standby")], true), [add(C, "voter")]),
    options: { budget: { timeouts: 3, crashes: 1, proposals: 1 }, maxTerm: 3 },
  },
  {
    name: "two, one of which is replaced in one step",
    begin: () => {
      const world = change(elect(cluster([A, B], [C]), A), [add(C, "standby")], true);
      return change(world, [add(C, "voter"), remove(B)]);
    },
    options: { budget: { timeouts: 3, crashes: 1, proposals: 1 }, maxTerm: 3 },
  },
  {
    name: "two, the leader of which is removed",
    begin: () => change(elect(cluster([A, B]), A), [remove(A)]),
    options: { budget: { timeouts: 4, crashes: 1, proposals: 1 }, maxTerm: 3 },
  },
  {
    name: "three, one of which hands over",
    begin: () => elect(cluster([A, B, C]), A),
    options: { budget: { timeouts: 2, transfers: 1, reads: 1, proposals: 1 }, maxTerm: 3 },
  },
  {
    name: "three, one of which lacks what has been compacted",
    begin: () => {
      const tiny = { snapshotEntries: 2, maxTrailingEntries: 0, snapshotChunkBytes: 8 };
      const world = elect(cluster([A, B, C], [], tiny), A);
      settle(propose(world, A), [A, B]);
      expect(hostOf(world, A).raft?.inspect().base.index).toBe(2);
      return world;
    },
    options: { budget: { timeouts: 3, crashes: 1, proposals: 1 }, maxTerm: 3 },
  },
];

const lossy: readonly Beginning[] = [true, false].map((isKnown) => ({
  name: `three, one of which has lost what its leader counts${isKnown ? "" : ", and cannot say how much"}`,
  begin: () => {
    const world = elect(cluster([A, B, C]), A);
    world.packets = [];
    const leader = hostOf(world, A);
    world.propose(leader, Uint8Array.of(1));
    const [entries] = world.packets.filter(({ to }) => to === B);
    world.packets = [];
    if (entries !== undefined) world.deliver(entries);
    const member = hostOf(world, B);
    world.doLogJob(member);
    // Its acknowledgement is still on its way, and so is the write of the leader's own disk.
    expect([world.packets.length, leader.logJobs.length]).toEqual([1, 1]);
    world.crash(member, 0);
    world.lose(member, 1, isKnown);
    world.start(member);
    return world;
  },
  options: { budget: { timeouts: 3, crashes: 1, proposals: 1 }, maxTerm: 3 },
}));

const STATES = 1500;
const TIMEOUT_MS = 60_000 * FUZZ_SCALE;

const situations = [...beginnings, ...lossy];
test.each(situations)("no order of events from $name does what Raft does not allow", ({ begin, options, name }) => {
  const maxStates = STATES * FUZZ_SCALE;
  const { states, transitions, choices, events, isComplete } = new Search({ ...options, maxStates }).run(begin());
  const far = isComplete ? "there are no others" : `some with ${choices + 1}`;
  console.log(`${name}: ${states} states by ${transitions} steps: all schedules with up to ${choices} choices, and ` +
    `${far}; up to ${events} events`);
  expect(isComplete || states >= maxStates).toBe(true);
  expect(states).toBeGreaterThanOrEqual(STATES);
}, TIMEOUT_MS);
