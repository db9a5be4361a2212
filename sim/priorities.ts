/**
 * Who comes first of all that are due at one time. Time goes on in slots; what is due within one happens at its end,
 * by the priorities of those it is due at, and for each of them in the order in which it was scheduled. At a few change
 * points all priorities are drawn anew.
 *
 * The hard idea: the priorities belong to the slot, not to the moment of scheduling. So what is due at one place later
 * is never put before what is due there earlier, as disks and connections promise.
 */
import { invariant } from "../core/invariant.ts";
import { type Chance, type Dice, shuffle } from "./chance.ts";
import type { Address } from "./packet.ts";
import type { Plan } from "./plan.ts";
import type { Tally } from "./tally.ts";

const US_PER_MS = 1000;

/** When it happens what is due at this time at this address. */
export interface Order {
  due(at: number, address: Address): number;
}

/** As it was scheduled, unless the plan's strategy says otherwise. */
export function orderOf({ strategy, chaosMs }: Plan, addresses: number, chance: Chance, tally: Tally): Order {
  if (strategy.type !== "priorities") return { due: (at) => at };
  return new Priorities(addresses, strategy, chaosMs * US_PER_MS, chance, tally);
}

export class Priorities implements Order {
  private readonly addresses: readonly Address[];
  private readonly slotUs: number;
  private readonly tally: Tally;
  /** When new priorities begin, ascending, and of each time the place of every address in the order. */
  private readonly epochs: { readonly from: number; readonly dice: Dice; places: readonly number[] | null }[] = [];

  constructor(
    addresses: number, { slotUs, changes }: { readonly slotUs: number; readonly changes: number }, untilUs: number,
    chance: Chance, tally: Tally,
  ) {
    invariant(addresses < slotUs, "each place in a slot has a microsecond of its own");
    this.addresses = Array.from({ length: addresses }, (_, address) => address);
    this.slotUs = slotUs;
    this.tally = tally;
    const stream = chance.stream("priorities");
    for (let change = 0; change <= changes; change++) {
      const dice = stream.next();
      const from = change === 0 ? 0 : dice.integer(1, untilUs);
      this.tally.inject("priorities");
      this.epochs.push({ from, dice, places: null });
    }
    this.epochs.sort((one, other) => one.from - other.from);
  }

  due(at: number, address: Address): number {
    const slot = Math.ceil(at / this.slotUs) * this.slotUs;
    return slot + this.placesAt(slot)[address]!;
  }

  private placesAt(time: number): readonly number[] {
    const epoch = this.epochs.findLast(({ from }) => from <= time);
    invariant(epoch !== undefined, "there are priorities from the beginning on");
    if (epoch.places !== null) return epoch.places;
    const order = shuffle(this.addresses, epoch.dice);
    epoch.places = epoch.dice.isLeftOut ? this.addresses : this.addresses.map((address) => order.indexOf(address));
    if (!epoch.dice.isLeftOut) {
      this.tally.effect("priorities");
      epoch.dice.happened(() => `who is due first from ${epoch.from} us on: ${order.join(" ")}`);
    }
    return epoch.places;
  }
}
