/**
 * The messages with entries that are under way to one follower: bounded in count and in bytes, so that a slow or dead
 * one costs a fixed amount of memory. One message may always be under way, whatever its size.
 */
import type { LogIndex } from "../types.ts";
import type { RaftLimits } from "./boundary.ts";

export class Window {
  private readonly lasts: LogIndex[] = [];
  private readonly sizes: number[] = [];
  private bytes = 0;

  get count(): number {
    return this.lasts.length;
  }

  hasRoom({ maxInFlightMessages, maxInFlightBytes }: RaftLimits): boolean {
    if (this.lasts.length === 0) return true;
    return this.lasts.length < maxInFlightMessages && this.bytes < maxInFlightBytes;
  }

  /** @param last the message's last entry, above that of any before it */
  add(last: LogIndex, bytes: number): void {
    this.lasts.push(last);
    this.sizes.push(bytes);
    this.bytes += bytes;
  }

  /** The follower has everything up to `matchIndex`. */
  acknowledge(matchIndex: LogIndex): void {
    let count = 0;
    while (count < this.lasts.length && (this.lasts[count] as LogIndex) <= matchIndex) {
      this.bytes -= this.sizes[count] as number;
      count += 1;
    }
    if (count === 0) return;
    this.lasts.splice(0, count);
    this.sizes.splice(0, count);
  }
}
