/**
 * The one timer that the driver keeps for us. A deadline that moves later, as an election's does with each message of a
 * leader, costs nothing: the timer stays, fires early, and is armed again then.
 */
import type { Instant } from "../types.ts";
import type { RaftEffect } from "./boundary.ts";

export class Alarm {
  /** What the driver's timer is set to; null: to nothing. */
  private setTo: Instant | null = null;

  fired(): void {
    this.setTo = null;
  }

  /** Sees to it that the timer fires by the deadline; null: there is none. */
  arm(deadline: Instant | null, effects: RaftEffect[]): void {
    if (deadline === null || (this.setTo !== null && this.setTo <= deadline)) return;
    this.setTo = deadline;
    effects.push({ type: "SetTimer", at: deadline });
  }
}
