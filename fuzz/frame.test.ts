/** FrameReader beside a twin that keeps the whole stream and cuts it up in one go: the same bodies, the same end. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import { encodeFrame, FRAME_HEADER_SIZE, FrameReader, type FrameFault } from "../core/wire/frame.ts";
import { examples } from "./chance.ts";

const LIMIT = 300;

interface Cut {
  readonly bodies: readonly string[];
  readonly fault: Pick<FrameFault, "type" | "offset"> | null;
}

/** Sees all bytes at once, so that it needs no state. */
function cutWhole(stream: Buffer): Cut {
  const bodies: string[] = [];
  let offset = 0;
  const ended = (type: FrameFault["type"]): Cut => ({ bodies, fault: { type, offset } });
  while (offset < stream.length) {
    const rest = stream.subarray(offset);
    if (rest.length >= 4 && rest.toString("latin1", 0, 4) !== "qlf1") return ended("badMagic");
    if (rest.length < FRAME_HEADER_SIZE) break;
    if (crc32c(rest, 0, 12) !== rest.readUInt32LE(12)) return ended("badHeader");
    const size = rest.readUInt32LE(4);
    if (size > LIMIT) return ended("oversized");
    const body = rest.subarray(FRAME_HEADER_SIZE, FRAME_HEADER_SIZE + size);
    if (body.length < size) break;
    if (crc32c(body) !== rest.readUInt32LE(8)) return ended("badChecksum");
    bodies.push(body.toString("hex"));
    offset += FRAME_HEADER_SIZE + size;
  }
  return { bodies, fault: null };
}

function cutInChunks(stream: Buffer, sizes: readonly number[]): Cut {
  const reader = new FrameReader(LIMIT);
  const bodies: string[] = [];
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    // A copy that is wiped after use: nothing may be kept of a chunk.
    const chunk = Uint8Array.from(stream.subarray(at, at + size));
    bodies.push(...reader.push(chunk).map((body) => Buffer.from(body).toString("hex")));
    chunk.fill(0xee);
    at += size;
  }
  const { fault } = reader;
  return { bodies, fault: fault === null ? null : { type: fault.type, offset: fault.offset } };
}

const body = fc.uint8Array({ maxLength: LIMIT });
const tooLarge = fc.constant(new Uint8Array(LIMIT + 1));
const mostlyAllowed = fc.oneof({ weight: 19, arbitrary: body }, { weight: 1, arbitrary: tooLarge });
const anyBodies = fc.array(mostlyAllowed, { maxLength: 5 });
const chunkSizes = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 8 });

test("any cutting of a stream, whole or harmed, gives the bodies and the fault of the whole", () => {
  const seen = new Set<string>();
  const harm = fc.option(fc.tuple(fc.nat(), fc.nat({ max: 7 })));
  const law = fc.property(anyBodies, chunkSizes, harm, fc.nat({ max: 40 }), (bodies, sizes, flip, lost) => {
    const whole = Buffer.concat(bodies.map(encodeFrame));
    const stream = whole.subarray(0, Math.max(0, whole.length - lost));
    if (flip !== null && stream.length > 0) stream[flip[0] % stream.length]! ^= 1 << flip[1];
    const expected = cutWhole(stream);
    expect(cutInChunks(stream, sizes)).toEqual(expected);
    seen.add(expected.fault?.type ?? "none");
  });
  fc.assert(law, examples(1500));
  expect([...seen].sort()).toEqual(["badChecksum", "badHeader", "badMagic", "none", "oversized"]);
});
