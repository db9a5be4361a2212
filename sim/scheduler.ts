/**
 * What happens next: the events of a simulated world in the order of their time, and of their making where times are
 * equal. A binary heap; time jumps from event to event and never passes by itself.
 *
 * The hard idea: the order is total. Two events of the same microsecond happen in the order in which they were
 * scheduled, so that a seed has one course, whatever the heap looks like inside.
 */
import { invariant } from "../core/invariant.ts";

export class Scheduler<Event> {
  /** Microseconds since the world began: the time of the event taken last. */
  now = 0;
  /** How many events have been taken. */
  taken = 0;

  // One heap in three arrays: comparisons touch numbers only, and no node object is made per event.
  private readonly times: number[] = [];
  private readonly sequences: number[] = [];
  private readonly events: Event[] = [];
  private nextSequence = 0;

  get size(): number {
    return this.times.length;
  }

  /** When the next event is due; Infinity: there is none. */
  get nextTime(): number {
    return this.times.length === 0 ? Infinity : this.times[0]!;
  }

  schedule(at: number, event: Event): void {
    invariant(Number.isSafeInteger(at) && at >= this.now, "an event comes at a whole microsecond, not in the past");
    let hole = this.times.length;
    const sequence = this.nextSequence++;
    this.times.push(at);
    this.sequences.push(sequence);
    this.events.push(event);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      // The new event has the highest sequence number: it stays behind its equals.
      if (this.times[parent]! <= at) break;
      this.move(parent, hole);
      hole = parent;
    }
    this.put(hole, at, sequence, event);
  }

  /** Takes the next event and moves time to it. */
  take(): Event {
    invariant(this.times.length > 0, "there is an event to take");
    const event = this.events[0]!;
    this.now = this.times[0]!;
    this.taken++;
    const time = this.times.pop()!;
    const sequence = this.sequences.pop()!;
    const last = this.events.pop()!;
    if (this.times.length > 0) this.sink(time, sequence, last);
    return event;
  }

  private sink(time: number, sequence: number, event: Event): void {
    const count = this.times.length;
    let hole = 0;
    for (let child = 1; child < count; child = 2 * hole + 1) {
      if (child + 1 < count && this.precedes(child + 1, this.times[child]!, this.sequences[child]!)) child++;
      if (!this.precedes(child, time, sequence)) break;
      this.move(child, hole);
      hole = child;
    }
    this.put(hole, time, sequence, event);
  }

  private precedes(place: number, time: number, sequence: number): boolean {
    const own = this.times[place]!;
    return own !== time ? own < time : this.sequences[place]! < sequence;
  }

  private move(source: number, target: number): void {
    this.times[target] = this.times[source]!;
    this.sequences[target] = this.sequences[source]!;
    this.events[target] = this.events[source]!;
  }

  private put(place: number, time: number, sequence: number, event: Event): void {
    this.times[place] = time;
    this.sequences[place] = sequence;
    this.events[place] = event;
  }
}
