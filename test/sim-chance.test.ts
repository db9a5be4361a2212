/** Addressed dice: what an occurrence draws follows from its address alone. */
import { expect, test } from "vitest";
import { Chance, type LeavesOut, pickInOrder } from "../sim/chance.ts";

function draw(seed: number, stream: string, count: number, leavesOut: LeavesOut | null = null): number[] {
  const drawn = new Chance(seed, leavesOut).stream(stream);
  return Array.from({ length: count }, () => drawn.next().u32());
}

test("the same address draws the same, whatever was drawn elsewhere before", () => {
  const chance = new Chance(7);
  chance.stream("b>a").next().bytes(100);
  const stream = chance.stream("a>b");
  stream.next().bytes(3);
  chance.stream("b>a").next();
  expect(stream.next().u32()).toBe(draw(7, "a>b", 2)[1]);
});

test("an occurrence that is left out says so, keeps its dice and changes nothing for the others", () => {
  const stream = new Chance(7, (name, number) => name === "disk" && number === 2).stream("disk");
  const dice = [stream.next(), stream.next(), stream.next()];
  expect(dice.map(({ isLeftOut }) => isLeftOut)).toEqual([false, true, false]);
  expect(dice.map((one) => one.u32())).toEqual(draw(7, "disk", 3));
});

test("other seeds, other streams and other numbers draw other dice", () => {
  const seeds = [0, 1, 2, 4294967296, 4294967297, 2 ** 40 + 1];
  const drawn = seeds.flatMap((seed) => ["a>b", "b>a", "a", ""].flatMap((stream) => draw(seed, stream, 50)));
  expect(new Set(drawn).size).toBe(drawn.length);
});

test.each(["first", "second"])("the %s draws of a stream are spread evenly", (which) => {
  const stream = new Chance(3).stream("spread");
  const counts = Array.from({ length: 16 }, () => 0);
  for (let number = 0; number < 16_000; number++) {
    const dice = stream.next();
    if (which === "second") dice.u32();
    counts[dice.integer(0, 15)]! += 1;
  }
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

test("streams of a part bear its name, and are the same whoever asks", () => {
  const chance = new Chance(1);
  expect(chance.within("a").within("disk").stream("crash")).toBe(chance.stream("a disk crash"));
  chance.stream("a disk crash").next();
  expect(chance.counts()).toEqual(new Map([["a disk crash", 1]]));
});

test("who is picked stays picked when somebody else falls away", () => {
  const everybody = ["a", "b", "c", "d", "e"];
  for (const dice of [1, 2, 3, 4, 5].map((seed) => () => new Chance(seed).stream("victim").next())) {
    const first = pickInOrder(everybody, dice(), () => true);
    for (const gone of everybody.filter((name) => name !== first)) {
      expect(pickInOrder(everybody, dice(), (name) => name !== gone)).toBe(first);
    }
    expect(pickInOrder(everybody, dice(), (name) => name !== first)).not.toBe(first);
  }
  expect(pickInOrder(everybody, new Chance(1).stream("victim").next(), () => false)).toBeNull();
});
