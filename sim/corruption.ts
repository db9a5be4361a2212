/**
 * Lines that change what they carry: a few bits of one frame, as the receiver's reader of frames sees them. It must
 * notice, whatever they are; what becomes of the connection then is the traffic's affair.
 */
import { invariant } from "../core/invariant.ts";
import { encodeFrame, FrameReader } from "../core/wire/frame.ts";
import type { Dice } from "./chance.ts";

/** Larger than any frame of a simulated node. */
const MAX_FRAME_BYTES = 256 * 1024 * 1024;
const MAX_BITS = 12;
/** Bits of a burst lie so close to each other; without one they lie anywhere. */
const BURST_BYTES = 4;

/** The body comes in a frame that is changed on its way. */
export function corrupt(body: Uint8Array, dice: Dice): void {
  const frame = encodeFrame(body);
  const isBurst = dice.oneIn(2);
  const from = isBurst ? dice.integer(0, frame.length - 1) : 0;
  const end = isBurst ? Math.min(frame.length, from + BURST_BYTES) : frame.length;
  const changed = new Set<number>();
  for (let left = dice.integer(1, MAX_BITS); left > 0; left--) changed.add(dice.integer(8 * from, 8 * end - 1));
  for (const bit of changed) frame[bit >> 3]! ^= 1 << (bit & 7);
  const reader = new FrameReader(MAX_FRAME_BYTES);
  const bodies = reader.push(frame);
  invariant(bodies.length === 0 && reader.fault !== null, "a frame's checksums find whatever a line has changed in it");
}
