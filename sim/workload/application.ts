/**
 * One simulated application: several actors, each with one task at a time, over one client machine. It decides when the
 * next task begins and which actor an answer belongs to; what the tasks do is in tasks.ts.
 */
import type { CallNumber, CallResult, ClientTransaction } from "../../core/client/boundary.ts";
import { invariant, unreachable } from "../../core/invariant.ts";
import { afterMs, type Instant } from "../../core/types.ts";
import { Actor, type Shared, type Task } from "./actor.ts";
import type { Application, ApplicationEffect, ApplicationInput } from "./boundary.ts";
import { drawTask } from "./options.ts";
import { setUp, startTask } from "./tasks.ts";

interface Place {
  readonly actor: Actor;
  /** null: the actor thinks until wakeAt. */
  task: Task | null;
  /** null: it waits for an answer, or has stopped. */
  wakeAt: Instant | null;
  stopped: boolean;
}

const NO_RESULT: CallResult = { ok: true, rows: { columns: [], rows: [] }, changes: 0, lastInsertRowid: 0 };

export class ActorApplication implements Application {
  readonly name: string;
  private readonly shared: Shared;
  private readonly places: Place[] = [];
  private readonly calls = new Map<CallNumber, Place>();
  private lastCall = 0;
  private lastTransaction = 0;
  private stopping = false;
  /** Until the schema is there, only the first actor works. */
  private ready = false;
  private effects: ApplicationEffect[] = [];

  constructor(name: string, shared: Shared) {
    this.name = name;
    this.shared = shared;
    const takeTransaction = (): ClientTransaction => ++this.lastTransaction;
    for (let count = 0; count < shared.options.actors; count++) {
      const actor = new Actor(name, count, shared, takeTransaction);
      this.places.push({ actor, task: null, wakeAt: null, stopped: false });
    }
  }

  step(now: Instant, input: ApplicationInput): readonly ApplicationEffect[] {
    this.effects = [];
    switch (input.type) {
      case "Started": {
        const first = this.places[0];
        invariant(first !== undefined, "an application has an actor");
        first.task = setUp(first.actor);
        this.advance(now, first, NO_RESULT);
        break;
      }
      case "Returned": {
        const place = this.calls.get(input.call);
        invariant(place !== undefined, "a call is answered once");
        this.calls.delete(input.call);
        this.advance(now, place, input.result);
        break;
      }
      case "TimerFired":
        this.wake(now);
        break;
      case "Stopping":
        this.stopping = true;
        for (const place of this.places) if (place.task === null) place.stopped = true;
        break;
      case "Died":
        for (const place of this.places) place.actor.died();
        return [];
      default:
        return unreachable(input);
    }
    this.finishStep();
    return this.effects;
  }

  private wake(now: Instant): void {
    for (const place of this.places) {
      if (place.wakeAt === null || place.wakeAt > now || place.stopped) continue;
      place.wakeAt = null;
      const isLeftOut = place.task === null && place.actor.random.isLeftOut && this.shared.mayLeaveOut;
      if (isLeftOut) this.think(now, place);
      else this.proceed(now, place);
    }
  }

  private proceed(now: Instant, place: Place): void {
    const { actor } = place;
    if (place.task === null) {
      const task = drawTask(actor.random, this.shared.options.weights);
      if (this.shared.mayLeaveOut) actor.random.happened(() => `${this.name} begins ${task}`);
      place.task = startTask(task, actor);
    }
    this.advance(now, place, NO_RESULT);
  }

  /** Runs the actor's task to its next call, pause or end. */
  private advance(now: Instant, place: Place, result: CallResult): void {
    invariant(place.task !== null, "an answer is for a task");
    const next = place.task.next(result);
    if (next.done === true) {
      place.task = null;
      if (!this.ready) this.becomeReady(now);
      else this.think(now, place);
    } else if (next.value.type === "pause") {
      place.wakeAt = afterMs(now, next.value.ms);
    } else {
      const call = ++this.lastCall as CallNumber;
      this.calls.set(call, place);
      this.effects.push({ type: "Call", call, operation: next.value });
    }
  }

  private becomeReady(now: Instant): void {
    this.ready = true;
    for (const place of this.places) this.think(now, place);
  }

  private think(now: Instant, place: Place): void {
    place.actor.turn();
    if (this.stopping) place.stopped = true;
    else place.wakeAt = afterMs(now, place.actor.random.integer(0, this.shared.options.maxThinkMs));
  }

  private finishStep(): void {
    let earliest: Instant | null = null;
    for (const { wakeAt, stopped } of this.places) {
      if (wakeAt !== null && !stopped && (earliest === null || wakeAt < earliest)) earliest = wakeAt;
    }
    if (earliest !== null) this.effects.push({ type: "SetTimer", at: earliest });
    if (this.stopping && this.places.every((place) => place.stopped)) this.effects.push({ type: "Stopped" });
  }
}
