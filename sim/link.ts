/**
 * One directed link between two addresses: what has been sent over it, and what is wrong with it at the moment.
 */
import type { Stream } from "./chance.ts";
import type { Packet } from "./packet.ts";

/** Of all packets of a link so many are kept, to come once more at any time later. */
const ALBUM_SIZE = 3;

export class Link {
  readonly stream: Stream;
  /** How many cuts lie on it. */
  cuts = 0;
  /** Nothing is wrong with it, whatever the weather. */
  isCalm = false;
  /** How many packets have been sent. */
  sent = 0;
  /** When the last packet that kept its place arrives. */
  lastArrival = 0;
  highestArrived = 0;
  /** When the last packet will have been sent, at the speed of the line. */
  freeAt = 0;
  /** Until when nothing arrives. */
  cloggedUntil = 0;
  /** The connection between two nodes has broken: what was sent up to here went with it, and for a while nothing is. */
  lostThrough = 0;
  downUntil = 0;
  /** Some of the packets of all times. */
  readonly album: Packet[] = [];

  constructor(stream: Stream) {
    this.stream = stream;
  }

  /** Each packet has the same chance to be kept, however many come after it. `place`: 0 up to 2^32, uniform. */
  remember(packet: Packet, place: number): void {
    const { album } = this;
    if (album.length < ALBUM_SIZE) {
      album.push(packet);
      return;
    }
    const at = Math.floor((place / 4294967296) * this.sent);
    if (at < ALBUM_SIZE) album[at] = packet;
  }

  heal(): void {
    this.cuts = 0;
    this.cloggedUntil = 0;
  }
}
