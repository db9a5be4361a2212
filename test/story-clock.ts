/** The time of a story: stands still until the story lets some pass, and wakes a machine that set its timer. */
import { afterMs, type Instant } from "../core/types.ts";

export class StoryClock {
  now = 0 as Instant;
  /** null: no timer is set. */
  private timerAt: Instant | null = null;

  setTimer(at: Instant): void {
    this.timerAt = at;
  }

  /** Lets time pass; `fire` is called at each time at which the timer stands, and may set it anew. */
  pass(ms: number, fire: () => readonly string[]): readonly string[] {
    const end = afterMs(this.now, ms);
    const lines: string[] = [];
    while (this.timerAt !== null && this.timerAt <= end) {
      this.now = this.timerAt;
      this.timerAt = null;
      lines.push(...fire());
    }
    this.now = end;
    return lines;
  }
}
