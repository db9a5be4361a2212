/** The simulated network: what becomes of packets, and what of it counts as an effect. */
import { expect, test } from "vitest";
import { Chance } from "../sim/chance.ts";
import { corrupt } from "../sim/corruption.ts";
import { FAIR_WEATHER, SimulatedNetwork, type NetworkWeather } from "../sim/network.ts";
import type { Packet } from "../sim/packet.ts";
import { Scheduler } from "../sim/scheduler.ts";
import { Tally } from "../sim/tally.ts";

const FAIR: NetworkWeather = { ...FAIR_WEATHER, latencyUs: 1000, maxDetourUs: 50_000 };

/** Three addresses; the number of a packet is its only byte. */
class Bench {
  readonly tally = new Tally();
  readonly scheduler = new Scheduler<Packet>();
  readonly network: SimulatedNetwork;

  constructor(weather: Partial<NetworkWeather>) {
    const deliver = (at: number, packet: Packet): void => this.scheduler.schedule(at, packet);
    this.network = new SimulatedNetwork(["a", "b", "c"], { ...FAIR, ...weather }, new Chance(7), this.tally, deliver);
  }

  send(from: number, to: number, number = 0): void {
    this.network.send(this.scheduler.now, from, to, null, Uint8Array.of(number));
  }

  sendMany(count: number): void {
    for (let number = 0; number < count; number++) this.send(0, 1, number);
  }

  /** The numbers of the packets that arrive, in order. */
  arrivals(): number[] {
    const numbers: number[] = [];
    while (this.scheduler.size > 0) {
      const packet = this.scheduler.take();
      if (this.network.received(this.scheduler.now, packet)) numbers.push(packet.bytes![0]!);
    }
    return numbers;
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

test("a link without faults delivers everything once, in order, later than it was sent", () => {
  const bench = new Bench({});
  bench.sendMany(200);
  expect(bench.scheduler.nextTime).toBeGreaterThan(0);
  expect(bench.arrivals()).toEqual(upTo(200));
  expect(Object.values(bench.tally.effects).every((count) => count === 0)).toBe(true);
});

test("lost packets are counted and never arrive", () => {
  const bench = new Bench({ lossPerMille: 300 });
  bench.sendMany(200);
  expect(bench.arrivals().length).toBe(200 - bench.tally.effects.loss);
  expect(bench.tally.effects.loss).toBeGreaterThan(30);
});

test("a duplicated packet arrives twice, and has an effect once the copy is there", () => {
  const bench = new Bench({ duplicatePerMille: 1000 });
  bench.sendMany(20);
  expect(bench.tally.effects.duplication).toBe(0);
  expect(bench.arrivals().sort((a, b) => a - b)).toEqual(upTo(20).flatMap((number) => [number, number]));
  expect([bench.tally.injected.duplication, bench.tally.effects.duplication]).toEqual([20, 20]);
});

test("a reordered packet has an effect when another overtook it", () => {
  const bench = new Bench({ reorderPerMille: 200 });
  bench.sendMany(200);
  const arrived = bench.arrivals();
  expect(arrived).not.toEqual(upTo(200));
  expect([...arrived].sort((a, b) => a - b)).toEqual(upTo(200));
  const overtaken = arrived.filter((number, at) => arrived.slice(0, at).some((earlier) => earlier > number));
  expect(bench.tally.effects.reordering).toBe(overtaken.length);
});

test("a two-sided cut stops both directions, a one-way cut one, until each is mended", () => {
  const bench = new Bench({});
  const twoSided = bench.network.cut("partition", [0], [1, 2], false);
  const oneWay = bench.network.cut("oneWayCut", [1], [2], true);
  const tryAll = (): string[] => {
    const open: string[] = [];
    for (const from of [0, 1, 2]) {
      for (const to of [0, 1, 2]) {
        if (from === to) continue;
        bench.send(from, to);
        if (bench.arrivals().length === 1) open.push(`${from}->${to}`);
      }
    }
    return open;
  };
  expect(tryAll()).toEqual(["2->1"]);
  bench.network.mend(twoSided);
  expect(tryAll()).toEqual(["0->1", "0->2", "1->0", "2->0", "2->1"]);
  bench.network.mend(oneWay);
  bench.network.mend(oneWay);
  expect(tryAll().length).toBe(6);
});

test("overlapping cuts are mended one by one, and a cut that stops nothing has no effect", () => {
  const bench = new Bench({});
  const first = bench.network.cut("isolatedNode", [0], [1], false);
  bench.network.cut("partition", [0], [1], false);
  bench.network.mend(first);
  bench.send(0, 1);
  bench.send(0, 1);
  expect(bench.arrivals()).toEqual([]);
  expect([bench.tally.injected.isolatedNode, bench.tally.effects.isolatedNode]).toEqual([1, 0]);
  expect([bench.tally.injected.partition, bench.tally.effects.partition]).toEqual([1, 1]);
  bench.network.healAll();
  bench.send(0, 1);
  expect(bench.arrivals().length).toBe(1);
});

test("a packet that is changed on its way is found, and what was sent with it on that connection is lost", () => {
  const bench = new Bench({ corruptPerMille: 30, latencyUs: 5000 });
  bench.sendMany(200);
  const { injected, effects } = bench.tally;
  const arrived = bench.arrivals();
  expect(injected.corruption).toBeGreaterThan(0);
  // All were under way when the first arrived broken.
  expect(effects.corruption).toBe(1);
  expect(arrived).toEqual(upTo(arrived.length));
  expect(arrived.length).toBeLessThan(200);
  // The link is called again a little later.
  bench.send(0, 1, 1);
  expect(bench.arrivals()).toEqual([]);
  bench.scheduler.now += 20_000;
  bench.send(0, 1, 2);
  expect(bench.arrivals()).toEqual([2]);
});

test("the reader of frames finds every change of a packet", () => {
  const stream = new Chance(3).stream("bits");
  for (let run = 0; run < 500; run++) corrupt(new Uint8Array(run % 90), stream.next());
});

test("any packet of the past may come once more, and counts when it comes from another time", () => {
  const bench = new Bench({});
  bench.sendMany(200);
  expect(bench.arrivals().length).toBe(200);
  const stream = new Chance(3).stream("replay");
  for (let run = 0; run < 10; run++) bench.network.replay(bench.scheduler.now, stream.next());
  expect(bench.arrivals().length).toBe(10);
  expect([bench.tally.injected.replay, bench.tally.effects.replay]).toEqual([10, 0]);
  bench.scheduler.now += 2_000_000;
  bench.network.replay(bench.scheduler.now, stream.next());
  expect(bench.arrivals()[0]).toBeLessThan(200);
  expect(bench.tally.effects.replay).toBe(1);
});

test("a slow line carries what it can, in turn, and drops what has too much before it", () => {
  const bench = new Bench({ bytesPerMs: 10, queueBytes: 100, latencyUs: 1 });
  for (let number = 0; number < 30; number++) {
    bench.network.send(bench.scheduler.now, 0, 1, null, new Uint8Array(10).fill(number));
  }
  // Ten wait, and those that find no more than ten before them.
  expect(bench.arrivals()).toEqual(upTo(11));
  expect(bench.tally.effects.congestion).toBe(19);
  expect(bench.scheduler.now).toBeGreaterThanOrEqual(11_000);
});

test("what stands still on a clogged link comes late, all of it, in order", () => {
  const bench = new Bench({});
  bench.network.clog([0], [1, 2], 1_000_000);
  bench.sendMany(10);
  bench.send(1, 0, 100);
  expect(bench.arrivals()).toEqual([100, ...upTo(10)]);
  expect(bench.scheduler.now).toBe(1_000_000);
  expect([bench.tally.injected.clog, bench.tally.effects.clog]).toEqual([1, 10]);
});

test("among those that are healed nothing is wrong, whatever the weather; to the others it is as it was", () => {
  const bench = new Bench({ lossPerMille: 1000 });
  bench.network.cut("partition", [0], [1, 2], false);
  bench.network.heal([0, 1]);
  bench.send(0, 1, 1);
  bench.send(1, 0, 2);
  bench.send(0, 2, 3);
  bench.send(1, 2, 4);
  expect(bench.arrivals().sort()).toEqual([1, 2]);
});
