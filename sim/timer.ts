/**
 * One timer of a machine over a queue that cannot forget: machines set theirs anew with almost every step, and only a
 * few of these settings may become events. So at most one event of a timer counts; it re-arms itself if it came early.
 */
export class Timer {
  /** When to fire, in the world's time; Infinity: not set. */
  private deadline = Infinity;
  /** When the one event that counts is due; Infinity: none. */
  private queued = Infinity;

  /** Sets the timer; returns when an event must be scheduled, or null where one comes early enough by itself. */
  set(at: number): number | null {
    this.deadline = at;
    if (at >= this.queued) return null;
    this.queued = at;
    return at;
  }

  clear(): void {
    this.deadline = Infinity;
    this.queued = Infinity;
  }

  /** An event of this timer is due. True: it fires, and is no longer set. */
  fires(now: number): boolean {
    if (now !== this.queued) return false;
    this.queued = Infinity;
    if (this.deadline > now) return false;
    this.deadline = Infinity;
    return true;
  }

  /** After an event that did not fire: when the next one must be scheduled, or null. */
  rearm(): number | null {
    return this.deadline === Infinity ? null : this.set(this.deadline);
  }
}
