/**
 * Automatic roles as a table, and as laws on random clusters: each step strictly improves the measure that roles.ts
 * states, so that whatever a cluster looks like, it comes to rest; and the number of voters never falls.
 */
import { expect, test } from "vitest";
import {
  newMember, planChange, votersOf, type Configuration, type ConfigurationOperation, type Member, type MemberRole,
} from "../core/raft/configuration.ts";
import { adjustRoles, type RoleTargets, type Standing } from "../core/raft/roles.ts";
import { Random } from "../core/random.ts";
import { compareNodeIds, type MemberId } from "../core/types.ts";

interface Cluster {
  readonly configuration: Configuration;
  readonly standings: ReadonlyMap<MemberId, Standing>;
}

const LEADER = "a" as MemberId;

/** "a voter in x, b standby dead, c spare behind first": a name, a role, and what is not as usual. */
function cluster(text: string): Cluster {
  const standings = new Map<MemberId, Standing>();
  const members = text.split(", ").map((one): Member => {
    const [id, role, ...words] = one.split(" ") as [MemberId, MemberRole, ...string[]];
    const isDead = words.includes("dead");
    const isAlive = !isDead && !words.includes("unheard");
    standings.set(id, { isAlive, isDead, isCaughtUp: !words.includes("behind") });
    const domain = words.includes("in") ? (words[words.indexOf("in") + 1] as string) : "";
    return { ...newMember(id, role), failureDomain: domain, priority: words.includes("first") ? 200 : 100 };
  });
  return { configuration: { members, outgoing: [], version: 1 }, standings };
}

function adjust({ configuration, standings }: Cluster, targets: RoleTargets): readonly ConfigurationOperation[] {
  return adjustRoles(configuration, LEADER, targets, (id) => standings.get(id) as Standing);
}

function show(operations: readonly ConfigurationOperation[]): string {
  if (operations.length === 0) return "nothing";
  const shown = operations.map((one) => (one.type === "put" ? `${one.member.id} ${one.member.role}` : `-${one.id}`));
  return shown.join(", ");
}

test.each([
  // At rest.
  ["a voter, b voter, c voter", "3+0", "nothing"],
  ["a voter, b voter, c voter, d standby, e spare", "3+1", "nothing"],
  // More than the targets were asked for by somebody: automation takes nothing away.
  ["a voter, b voter, c voter, d voter, e voter", "3+0", "nothing"],
  ["a voter, b voter, c voter, d standby, e standby", "3+1", "nothing"],
  ["a voter, b voter, c voter, d voter, e voter dead, f standby", "3+1", "f voter, e spare"],
  // The dead are replaced, in one step that changes two roles.
  ["a voter, b voter dead, c voter, d standby", "3+1", "d voter, b spare"],
  ["a voter, b voter dead, c voter", "3+1", "nothing"],
  ["a voter, b voter dead, c voter, d standby behind", "3+1", "nothing"],
  ["a voter, b voter dead, c voter, d standby dead", "3+1", "nothing"],
  ["a voter, b voter dead, c voter, d standby behind, e standby", "3+2", "e voter, b spare"],
  ["a voter, b voter dead, c voter, d standby dead, e spare", "3+1", "e standby, d spare"],
  // Who has not been heard yet is neither replaced nor given anything.
  ["a voter, b voter unheard, c voter, d standby", "3+1", "nothing"],
  ["a voter, b voter dead, c voter, d standby unheard, e standby", "3+1", "e voter, b spare"],
  ["a voter, b spare unheard, c spare", "1+1", "c standby"],
  ["a voter, b standby unheard, c spare", "1+1", "nothing"],
  ["a voter in x, b voter in y unheard, c voter in y, d standby in y, e spare in z", "3+1", "e standby, d spare"],
  // A spare has nothing of the log: it becomes a standby first, even where none are wanted for good.
  ["a voter, b voter dead, c voter, d spare", "3+0", "d standby"],
  ["a voter, b voter dead, c voter, d standby behind, e spare", "3+0", "nothing"],
  // Missing voters are filled up; an even number is passed through only if somebody is ready to make it odd again.
  ["a voter, b standby, c standby", "3+0", "b voter"],
  ["a voter, b voter, c standby", "3+0", "c voter"],
  ["a voter, b standby", "3+0", "nothing"],
  ["a voter, b standby, c standby behind", "3+0", "nothing"],
  ["a voter, b voter, c voter, d standby", "5+0", "nothing"],
  ["a voter, b voter dead, c voter, d standby, e standby", "5+0", "d voter, b spare"],
  ["a voter, b spare, c spare", "3+0", "b standby"],
  ["a voter, b standby behind, c spare", "3+0", "c standby"],
  // Missing standbys, and dead ones.
  ["a voter, b spare, c spare dead", "1+1", "b standby"],
  ["a voter, b spare dead", "1+1", "nothing"],
  ["a voter, b standby dead, c spare", "1+1", "c standby, b spare"],
  // The leader is replaced only when it is about to stop, and then after all who are dead.
  ["a voter dead, b voter, c voter, d standby", "3+1", "d voter, a spare"],
  ["a voter dead, b voter dead, c voter, d standby, e voter", "3+1", "d voter, b spare"],
  ["a voter in x, b voter in x, c voter in y, d standby in z", "3+1", "d voter, b standby"],
  ["a voter in x, b voter in y, c voter in y, d standby in x", "3+1", "nothing"],
  // Whom to choose: the domain that living voters use least, then priority, then the name.
  ["a voter in x, b voter in y, c voter dead in z, d standby in x, e standby in z", "3+2", "e voter, c spare"],
  ["a voter in x, b voter in y, c voter dead, d standby in x first, e standby in z", "3+2", "e voter, c spare"],
  ["a voter, b voter, c voter dead, d standby, e standby first", "3+2", "e voter, c spare"],
  ["a voter, b voter, c voter dead, d standby, e standby", "3+2", "d voter, c spare"],
  ["a voter, b voter dead first, c voter dead, d standby, e voter, f voter", "5+1", "d voter, c spare"],
  ["a voter in x, b voter in y, c voter in z, d spare in x, e spare in w", "3+1", "e standby"],
  ["a voter in x, b voter in y, c voter in z, d standby in w, e spare in w, f spare in x", "3+2", "e standby"],
  // Nobody is replaced for a priority.
  ["a voter, b voter, c voter, d standby first", "3+1", "nothing"],
  // Domains are spread only where fewer pairs share one afterwards; who names none shares none.
  ["a voter, b voter, c voter, d standby in z", "3+1", "nothing"],
  ["a voter in x, b voter in x, c voter in y, d standby in y", "3+1", "nothing"],
  ["a voter in x, b voter in x, c voter in y, d standby", "3+1", "d voter, b standby"],
  ["a voter in x, b voter in x, c voter in x, d voter in y, e voter in z, f standby in y", "5+1", "f voter, c standby"],
  ["a voter in x, b voter in x, c voter in x first, d voter in y, e voter in z, f standby in y", "5+1",
    "f voter, b standby"],
  ["a voter in x, b voter in x, c voter in y, d standby in z behind", "3+1", "nothing"],
  ["a voter in x, b voter in x, c voter in y, d standby in x, e spare in z", "3+1", "e standby, d spare"],
  ["a voter in x, b voter in x dead, c voter in y, d standby in x behind, e spare in z", "3+1", "nothing"],
])("%s, with targets %s: %s", (text, targets, expected) => {
  const [voters, standbys] = targets.split("+").map(Number) as [number, number];
  expect(show(adjust(cluster(text), { voters, standbys }))).toBe(expected);
});

test("nothing is adjusted while a joint configuration is in force", () => {
  const { configuration, standings } = cluster("a voter, b voter dead, c voter, d standby");
  const joint = { ...configuration, outgoing: [newMember("a" as MemberId, "voter")] };
  expect(adjust({ configuration: joint, standings }, { voters: 3, standbys: 1 })).toEqual([]);
});

// Laws.

const CLUSTERS = 4000;

test("from any cluster the roles come to rest, each step improving the stated measure", () => {
  let steps = 0;
  for (let seed = 1; seed <= CLUSTERS; seed++) {
    const random = Random.fromNumber(seed);
    const targets = { voters: 1 + 2 * random.integer(0, 3), standbys: random.integer(0, 4) };
    let current = drawCluster(random);
    for (let operations = adjust(current, targets); operations.length > 0; operations = adjust(current, targets)) {
      const next = apply(current, operations, random);
      const why = `seed ${seed}: ${show(operations)}`;
      hold(isLower(measure(next, targets), measure(current, targets)), `${why}: the measure falls`);
      checkStep(current, next, operations, why);
      current = next;
      steps++;
    }
  }
  // The law is about something.
  expect(steps).toBeGreaterThan(CLUSTERS);
});

test("at rest nobody dead votes, and no voter is missing, where somebody alive and caught up could stand in", () => {
  for (let seed = 1; seed <= CLUSTERS; seed++) {
    const random = Random.fromNumber(seed);
    const targets = { voters: 3, standbys: random.integer(0, 3) };
    let current = catchUp(drawCluster(random));
    for (let operations = adjust(current, targets); operations.length > 0; operations = adjust(current, targets)) {
      current = catchUp(apply(current, operations, random));
    }
    const { members } = current.configuration;
    const isAlive = ({ id }: Member): boolean => current.standings.get(id)!.isAlive;
    const living = members.filter(isAlive);
    const livingVoters = living.filter(({ role }) => role === "voter");
    const dead = members.filter(({ id, role }) => role === "voter" && current.standings.get(id)!.isDead).length;
    // With everybody alive caught up at last: all that live vote, or no dead one does.
    if (dead > 0) expect(livingVoters.length, `seed ${seed}`).toBe(living.length);
    // One may be left over, who would only make the number of voters even.
    const missing = 3 - votersOf(current.configuration).length;
    if (missing > 0) expect(living.length - livingVoters.length, `seed ${seed}`).toBeLessThanOrEqual(1);
  }
});

test("the order in which standings are asked for and members were added changes nothing", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { configuration, standings } = drawCluster(Random.fromNumber(seed));
    const reversed = { ...configuration, members: [...configuration.members].reverse() };
    const targets = { voters: 5, standbys: 2 };
    expect(adjust({ configuration: reversed, standings }, targets), `seed ${seed}`)
      .toEqual(adjust({ configuration, standings }, targets));
  }
});

function drawCluster(random: Random): Cluster {
  const standings = new Map<MemberId, Standing>();
  const count = random.integer(1, 12);
  const members = Array.from({ length: count }, (_, at): Member => {
    const id = String.fromCharCode("a".charCodeAt(0) + at) as MemberId;
    const role = id === LEADER ? "voter" : (["voter", "standby", "spare"] as const)[random.integer(0, 2)]!;
    const life = random.integer(0, 9);
    const isAlive = life < (id === LEADER ? 9 : 7);
    const isDead = !isAlive && life > 7;
    standings.set(id, { isAlive, isDead, isCaughtUp: role !== "spare" && random.integer(0, 3) > 0 });
    const failureDomain = ["", "x", "y", "z", "w"][random.integer(0, 4)]!;
    return { id, role, address: "", failureDomain, priority: 100 + random.integer(0, 1) };
  });
  return { configuration: { members, outgoing: [], version: 1 }, standings };
}

/** Whether a standby has caught up by the next step is drawn. */
function apply(
  { configuration, standings }: Cluster, operations: readonly ConfigurationOperation[], random: Random,
): Cluster {
  const planned = planChange(configuration, operations);
  if (!planned.ok) throw new Error(`${show(operations)} is no change: ${planned.fault}`);
  const after = { ...planned.configuration, outgoing: [] };
  const next = after.members.map(({ id, role }): [MemberId, Standing] => {
    const standing = standings.get(id)!;
    const isCaughtUp = role !== "spare" && (standing.isCaughtUp || random.integer(0, 1) === 1);
    return [id, { ...standing, isCaughtUp }];
  });
  return { configuration: after, standings: new Map(next) };
}

/** All who have a log have caught up, and who has not been heard is dead. */
function catchUp({ configuration, standings }: Cluster): Cluster {
  const caughtUp = configuration.members.map(({ id, role }): [MemberId, Standing] => {
    const { isAlive } = standings.get(id)!;
    return [id, { isAlive, isDead: !isAlive, isCaughtUp: role !== "spare" }];
  });
  return { configuration, standings: new Map(caughtUp) };
}

function checkStep(before: Cluster, after: Cluster, operations: readonly ConfigurationOperation[], why: string): void {
  const roleOf = ({ configuration }: Cluster, wanted: MemberId): MemberRole =>
    configuration.members.find(({ id }) => id === wanted)!.role;
  const rank = { voter: 2, standby: 1, spare: 0 };
  const moved = operations.map((one) => (one.type === "put" ? one.member.id : one.id));
  const promoted = moved.filter((id) => rank[roleOf(after, id)] > rank[roleOf(before, id)]);
  const demoted = moved.filter((id) => rank[roleOf(after, id)] < rank[roleOf(before, id)]);
  hold(promoted.length === 1, `${why}: one is promoted`);
  hold(demoted.length <= 1, `${why}: at most one is demoted`);
  const [voters, votersBefore] = [votersOf(after.configuration).length, votersOf(before.configuration).length];
  hold(voters >= votersBefore, `${why}: the number of voters never falls`);
  for (const id of promoted) {
    const standing = before.standings.get(id)!;
    hold(standing.isAlive, `${why}: only the living are promoted`);
    if (roleOf(after, id) !== "voter") continue;
    hold(standing.isCaughtUp && roleOf(before, id) === "standby", `${why}: a voter was a standby that has caught up`);
  }
  hold(!demoted.includes(LEADER) || !before.standings.get(LEADER)!.isAlive, `${why}: a leader that goes on votes on`);
}

/** expect() is too slow for so many questions. */
function hold(condition: boolean, why: string): void {
  if (!condition) throw new Error(why);
}

/** As the header of roles.ts states it. Written anew, by counting. */
function measure({ configuration, standings }: Cluster, targets: RoleTargets): readonly number[] {
  const of = (role: MemberRole, is: (standing: Standing) => boolean): Member[] =>
    configuration.members.filter((one) => one.role === role && is(standings.get(one.id)!));
  const [voters, standbys] = [of("voter", (one) => one.isAlive), of("standby", (one) => one.isAlive)];
  const deadVoters = of("voter", (one) => one.isDead).length;
  const deadStandbys = of("standby", (one) => one.isDead).length;
  const missingVoters = Math.max(0, targets.voters - of("voter", () => true).length);
  const wanted = Math.max(targets.standbys, missingVoters + deadVoters);
  const missingStandbys = Math.max(0, wanted - of("standby", () => true).length);
  return [deadVoters, missingVoters, deadStandbys, missingStandbys, pairs(voters), pairs([...voters, ...standbys])];
}

function pairs(members: readonly Member[]): number {
  let count = 0;
  for (const a of members) {
    for (const b of members) {
      if (compareNodeIds(a.id, b.id) < 0 && a.failureDomain !== "" && a.failureDomain === b.failureDomain) count++;
    }
  }
  return count;
}

function isLower(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, place) => value !== b[place]);
  return at !== -1 && a[at]! < b[at]!;
}
