/**
 * Rare courses of the product (core/rare-course.ts) taken often: those that the plan has drawn, until faults stop.
 * They are no faults: nothing that an oracle says has to take account of them.
 */
import { NEVER, type RareCourse, type Rarely } from "../core/rare-course.ts";
import type { Chance, Stream } from "./chance.ts";
import type { Plan } from "./plan.ts";
import type { Tally } from "./tally.ts";

/** Of a thousand times that the question is asked: more than that, and hardly anything else would happen. */
const PER_MILLE: Readonly<Record<RareCourse, number>> = {
  standsEarly: 300, refusesPreVote: 300, resigns: 10, sendsSnapshot: 200, probesAnew: 20, takesSnapshot: 10,
  keepsNoTail: 300, rollsEarly: 50, commitsAlone: 300, refusesBusy: 50, repeatsAtOnce: 50, searchesAnew: 50,
};

export class Rarities {
  isActive = true;
  private readonly plan: Plan;
  private readonly chance: Chance;
  private readonly tally: Tally;

  constructor(plan: Plan, chance: Chance, tally: Tally) {
    this.plan = plan;
    this.chance = chance;
    this.tally = tally;
  }

  /** For one process, by its name. */
  of(process: string): Rarely {
    if (this.plan.rareCourses.length === 0) return NEVER;
    const streams = new Map<RareCourse, Stream>(
      this.plan.rareCourses.map((course) => [course, this.chance.stream(`${process} ${course}`)]),
    );
    return (course) => {
      const stream = streams.get(course);
      if (stream === undefined || !this.isActive) return false;
      const dice = stream.next();
      const isTaken = dice.integer(0, 999) < PER_MILLE[course] && !dice.isLeftOut;
      if (!isTaken) return false;
      dice.happened(() => `${process} takes a rare course: ${course}`);
      this.tally.mark(course);
      return true;
    };
  }
}
