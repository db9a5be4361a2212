/**
 * One node over its lives. A life is a Driver (io/) over the data directory. One that ends because what the disk holds
 * is wrong (a majority has another state, the node is *quarantined*; or the log was read back and is damaged) is
 * followed by the next, of which recovery discards what is wrong and the others send it anew; so is one whose memory
 * was found damaged, as the disk is right. Every other end is final.
 * The directory's lock and the application's database outlive them all.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { HaltReason } from "../core/replica/boundary.ts";
import type { Address } from "../io/address.ts";
import { Driver, type DriverOptions } from "../io/driver.ts";
import type { DriverEvent, StartResult } from "../io/driver-status.ts";
import { isSystemError } from "../io/system-error.ts";

/** Before the second life at once; before each further one so much longer, up to the most. */
const PAUSE_STEP_MS = 5000;
const MAX_PAUSE_MS = 60_000;
const LISTEN_RETRY_MS = 500;
const WAKE_MS = 20;

export type LifeEvent =
  | DriverEvent
  /** The node ends and begins anew by itself, in this process. */
  | { readonly type: "Restarting"; readonly reason: HaltReason };

export class Lives {
  /** Of the present life, or of the last. */
  driver: Driver;
  private readonly optionsOf: () => DriverOptions;
  private readonly report: (event: LifeEvent) => void;
  /** Where it listens in every life, with the port that the first one got. */
  private address: Address | null = null;
  private isUp = false;
  private isClosing = false;
  private count = 0;
  /** How the next life began; null: the node was closed before. */
  private reviving: Promise<StartResult | null> = Promise.resolve(null);

  /** @param optionsOf is asked for each life anew: no two have the same seed */
  constructor(optionsOf: () => DriverOptions, report: (event: LifeEvent) => void) {
    this.optionsOf = optionsOf;
    this.report = report;
    this.driver = this.makeDriver();
  }

  /** Rejects with the system's error if it cannot listen. */
  async start(): Promise<StartResult> {
    const result = await this.begin();
    const isMended = !result.ok && (result.reason.type === "quarantined" || result.reason.type === "memory");
    return isMended ? ((await this.reviving) ?? result) : result;
  }

  /** null: it is between two lives, or ended. */
  get living(): Driver | null {
    return this.isUp && !this.driver.hasEnded ? this.driver : null;
  }

  async close(): Promise<void> {
    this.isClosing = true;
    await this.reviving;
    await this.driver.close();
  }

  private makeDriver(): Driver {
    const options = this.optionsOf();
    return new Driver({ ...options, address: this.address ?? options.address }, (event) => this.onEvent(event));
  }

  private async begin(): Promise<StartResult> {
    this.isUp = false;
    const result = await this.driver.start();
    this.isUp = result.ok;
    if (result.ok) this.address = result.address;
    return result;
  }

  private onEvent(event: DriverEvent): void {
    if (event.type !== "Halted" || this.isClosing || !this.canBeMended(event.reason)) return this.report(event);
    this.report({ type: "Restarting", reason: event.reason });
    this.isUp = false;
    this.reviving = this.revive();
  }

  /** Damage that recovery itself has refused would be refused again. */
  private canBeMended(reason: HaltReason): boolean {
    if (reason.type === "quarantined" || reason.type === "memory") return true;
    return reason.type === "storage" && reason.fault.type === "corrupt" && this.isUp;
  }

  private async revive(): Promise<StartResult | null> {
    await this.driver.close();
    await this.wait(Math.min(PAUSE_STEP_MS * this.count++, MAX_PAUSE_MS));
    while (!this.isClosing) {
      this.driver = this.makeDriver();
      try {
        // Where recovery refuses the directory, that is the end, and the driver has said so.
        return await this.begin();
      } catch (error) {
        if (!isSystemError(error)) throw error;
        // Another program listens there, or no descriptor is left: that may pass.
        await this.driver.close();
        await this.wait(LISTEN_RETRY_MS);
      }
    }
    return null;
  }

  private async wait(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (!this.isClosing && performance.now() < until) await pause(WAKE_MS);
  }
}
