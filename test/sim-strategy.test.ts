/** Strategies: what a seed may draw, and the order in which things happen that are due at one time. */
import { expect, test } from "vitest";
import { Chance } from "../sim/chance.ts";
import { drawPlan } from "../sim/plan.ts";
import { Priorities } from "../sim/priorities.ts";
import { Tally } from "../sim/tally.ts";

const SLOT = { slotUs: 100, changes: 3 };

function priorities(leavesOut: (() => boolean) | null = null): Priorities {
  return new Priorities(6, SLOT, 1_000_000, new Chance(5, leavesOut), new Tally());
}

const order = (one: Priorities, at: number): string => {
  const addresses = [0, 1, 2, 3, 4, 5];
  return addresses.sort((a, b) => one.due(at, a) - one.due(at, b)).join("");
};

test("every strategy is drawn by some seeds", () => {
  const drawn = Array.from({ length: 100 }, (_, seed) => drawPlan(seed + 1).strategy.type);
  expect([...new Set(drawn)].sort()).toEqual(["ambush", "killWinners", "priorities", "starveDisk", "uniform"]);
});

test("what is due in one slot happens at its end, each place at a time of its own", () => {
  const one = priorities();
  for (const at of [1, 50, 100]) {
    const times = [0, 1, 2, 3, 4, 5].map((address) => one.due(at, address));
    expect(times.sort((a, b) => a - b)).toEqual([100, 101, 102, 103, 104, 105]);
  }
});

test("at a change point priorities are drawn anew, and never in between", () => {
  const one = priorities();
  const orders = Array.from({ length: 10_000 }, (_, slot) => order(one, slot * SLOT.slotUs));
  const changes = orders.filter((now, at) => at > 0 && now !== orders[at - 1]).length;
  expect(changes).toBeGreaterThan(0);
  expect(changes).toBeLessThanOrEqual(SLOT.changes);
});

test("what is due at one place later never comes earlier", () => {
  const one = priorities();
  for (const address of [0, 3, 5]) {
    let before = 0;
    for (let at = 0; at < 1_000_000; at += 37) {
      const due = one.due(at, address);
      expect(due).toBeGreaterThanOrEqual(Math.max(at, before));
      before = due;
    }
  }
});

test("left out, the order is that of the addresses", () => {
  expect(order(priorities(() => true), 500)).toBe("012345");
});
