/**
 * How a seed is hostile, beside faults that come at random: one value, drawn with the plan. Random faults rarely strike
 * in the one moment that matters; a strategy knows what is going on, and strikes then.
 */
import type { Random } from "../core/random.ts";

export type Strategy =
  | { readonly type: "uniform" }
  /** One disk is so many times slower than the others: that of a node, or of whoever leads. */
  | { readonly type: "starveDisk"; readonly victim: "node" | "leader"; readonly factor: number }
  /** Of a hundred elections: after how many the winner is killed. `meanMs`: how long it has led. */
  | { readonly type: "killWinners"; readonly percent: number; readonly meanMs: number }
  /** Whoever has just reached what is rare in this run is killed, cut off or stopped, so many times of a hundred. */
  | { readonly type: "ambush"; readonly percent: number }
  /**
   * Whatever is due in one slot of time is due at one time: in the order of the priorities of those it is due at, which
   * are drawn anew so many times (Burckhardt and others, "A randomized scheduler with probabilistic guarantees of
   * finding bugs", 2010).
   */
  | { readonly type: "priorities"; readonly slotUs: number; readonly changes: number };

export function drawStrategy(random: Random): Strategy {
  switch (random.pick(["uniform", "uniform", "starveDisk", "killWinners", "ambush", "ambush", "priorities"] as const)) {
    case "uniform":
      return { type: "uniform" };
    case "starveDisk":
      return { type: "starveDisk", victim: random.pick(["node", "leader"]), factor: random.pick([5, 30, 200]) };
    case "killWinners":
      return { type: "killWinners", percent: random.pick([50, 90]), meanMs: random.pick([1, 20, 300]) };
    case "ambush":
      return { type: "ambush", percent: random.pick([30, 100]) };
    case "priorities":
      return { type: "priorities", slotUs: random.pick([50, 300, 1000]), changes: random.integer(1, 8) };
  }
}
