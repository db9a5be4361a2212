/** What the simulated world knows of membership: which configuration nothing can take back, and what may be lost. */
import { expect, test } from "vitest";
import { type Configuration, foundingConfiguration } from "../core/raft/configuration.ts";
import type { EntryId, Incarnation, LogIndex, MemberId, NodeId, Term } from "../core/types.ts";
import { memberIdOf, NO_ENTRY } from "../core/types.ts";
import { Chance } from "../sim/chance.ts";
import { SimulatedDisk } from "../sim/disk.ts";
import type { NodeMachine } from "../sim/environment.ts";
import { chooseCore, whatIsMissing } from "../sim/healthy-core.ts";
import { Membership } from "../sim/membership.ts";
import type { RaftObservation } from "../sim/oracles/boundary.ts";
import { drawClock, NodeProcess } from "../sim/process.ts";
import { Tally } from "../sim/tally.ts";

const DISK = "0123456789abcdef" as Incarnation;
const NAMES = ["a", "b", "c", "d"] as NodeId[];
const idOf = (name: string): MemberId => memberIdOf(name as NodeId, DISK);
const THREE = foundingConfiguration(["a", "b", "c"].map(idOf));

/** Three founders and one that may join; all run. */
class World {
  readonly nodes = NAMES.map((name, address) => {
    const chance = new Chance(1);
    const disk = new SimulatedDisk({ accessUs: 1, syncUs: 1, isSteady: false }, chance, new Tally());
    const node = new NodeProcess(name, address, disk, drawClock(chance.stream("clock").next(), 0), address < 3, 1);
    const machine: NodeMachine = {
      step: () => [], image: () => new Uint8Array(0), inspect: () => ({ raft: null, database: null }),
      flip: () => false, end: () => {},
    };
    node.begin(machine, drawClock(chance.stream("clock").next(), 0), 0);
    return node;
  });
  readonly membership = new Membership(this.nodes, NAMES.slice(0, 3));

  /** The node shows a log whose last entry is `last`, committed up to `commit`. */
  shows(name: string, shown: Partial<RaftObservation> & { readonly last: EntryId }): this {
    const { last } = shown;
    this.membership.stepped(this.node(name), {
      id: idOf(name), role: "follower", currentTerm: last.term, votedFor: null, base: NO_ENTRY, snapshot: NO_ENTRY,
      commitIndex: last.index, lastApplied: 0 as LogIndex, terms: [{ term: last.term, index: 1 as LogIndex }],
      configuration: THREE, configurationIndex: 0 as LogIndex, isTransferring: false, lost: null,
      hasSpace: true, ...shown,
    });
    return this;
  }

  node(name: string): NodeProcess {
    return this.nodes.find(({ id }) => id === name)!;
  }
}

const entry = (term: number, index: number): EntryId => ({ term: term as Term, index: index as LogIndex });

test("a configuration is settled under a leader of the highest term that has committed in it", () => {
  const led = (shown: Partial<RaftObservation>): World => {
    return new World().shows("b", { last: entry(2, 3) }).shows("a", { last: entry(2, 3), role: "leader", ...shown });
  };
  expect(led({}).membership.settled()?.configuration).toBe(THREE);
  expect(led({ role: "follower" }).membership.settled()).toBeNull();
  expect(led({ terms: [entry(1, 1), entry(2, 3)], commitIndex: 2 as LogIndex }).membership.settled()).toBeNull();
  expect(led({ configurationIndex: 3 as LogIndex, commitIndex: 2 as LogIndex }).membership.settled()).toBeNull();
  const joint: Configuration = { ...THREE, outgoing: THREE.members };
  expect(led({ configuration: joint }).membership.settled()).toBeNull();
  // Some disk knows of a later term, and who knows what its leader has appended.
  expect(led({}).shows("c", { last: entry(2, 3), currentTerm: 3 as Term }).membership.settled()).toBeNull();
});

test("no more disks may be lost than leave a quorum of each half", () => {
  const world = new World();
  for (const name of ["a", "b", "c"]) world.shows(name, { last: entry(1, 1) });
  const { membership } = world;
  expect(membership.lives(THREE, idOf("a"))).toBe(true);
  membership.forget(world.node("a"));
  expect([membership.isLost(idOf("a")), membership.idOf(world.node("a"))]).toEqual([true, null]);
  expect(membership.lives(THREE)).toBe(true);
  expect(membership.lives(THREE, idOf("b"))).toBe(false);
  const joint = { ...foundingConfiguration(["b", "c", "d"].map(idOf)), outgoing: THREE.members };
  expect(membership.lives(joint)).toBe(true);
  expect(membership.lives(joint, idOf("d"))).toBe(true);
  expect(membership.lives(joint, idOf("c"))).toBe(false);
});

test("an empty node is told to ask those that are members now", () => {
  const world = new World().shows("a", { last: entry(1, 1), role: "leader" });
  expect(world.membership.toAsk(world.node("d"))).toEqual(["a", "b", "c"]);
  const two = foundingConfiguration(["a", "d"].map(idOf));
  world.shows("a", { last: entry(1, 1), role: "leader", configuration: two });
  expect(world.membership.toAsk(world.node("b"))).toEqual(["a", "d"]);
  expect(world.membership.toAsk(world.node("d"))).toEqual(["a"]);
});

test("a healthy core has a quorum of every configuration that may be in force, and no damaged disk", () => {
  const world = new World();
  for (const name of ["a", "b", "c"]) world.shows(name, { last: entry(1, 1) });
  const { nodes, membership } = world;
  const core = (run: number): string => {
    const chosen = chooseCore(nodes, membership, new Chance(run).stream("core").next());
    return chosen === null ? "" : chosen.nodes.map(({ id }) => id).join("");
  };
  const cores = (): string[] => [...new Set(Array.from({ length: 60 }, (_, run) => core(run)))].sort();
  expect(cores()).toEqual(["ab", "abc", "ac", "bc"]);
  membership.damage(world.node("b"));
  expect(cores()).toEqual(["ac"]);
  // Somebody has appended another configuration: whether that is committed nobody knows.
  const other = { ...foundingConfiguration(["a", "b", "d"].map(idOf)), outgoing: THREE.members };
  world.node("d").isUsed = true;
  const appended = { configuration: other, configurationIndex: 5 as LogIndex };
  world.shows("a", { last: entry(2, 5), commitIndex: 1 as LogIndex, ...appended });
  expect(cores()).toEqual([""]);
  world.shows("d", { last: entry(2, 5), commitIndex: 1 as LogIndex });
  expect(cores()).toEqual(["acd"]);
  // It is committed: those who only know the one before do not count.
  const left = { configuration: foundingConfiguration(["a", "d"].map(idOf)), configurationIndex: 6 as LogIndex };
  world.shows("a", { last: entry(2, 6), ...left });
  expect(cores()).toEqual(["acd", "ad"]);
});

test("who stands still says which quorum is missing", () => {
  const world = new World().shows("a", { last: entry(1, 1) }).shows("b", { last: entry(1, 1) });
  const among = (...names: string[]): string | null => {
    return whatIsMissing(new Set(names.map((name) => world.node(name))), world.membership);
  };
  expect(among("a", "b")).toBeNull();
  expect(among("b")).toMatch(/^configuration 0 .* which a b has, needs one more of a@0123456789abcdef c@/);
});
