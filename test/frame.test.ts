/** Frames over a stream: each way in which a stream can stop being one of frames, and what it costs. */
import { expect, test } from "vitest";
import { crc32c } from "../core/checksum.ts";
import { encodeFrame, FRAME_HEADER_SIZE, FrameReader, frameHeader } from "../core/wire/frame.ts";

const LIMIT = 1024 * 1024;

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Compared as text: vitest compares large arrays element by element. */
function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** A header that announces what it likes, with a checksum that agrees. */
function header(bodySize: number, bodyChecksum: number): Uint8Array {
  const bytes = frameHeader(new Uint8Array(0));
  const view = new DataView(bytes.buffer);
  view.setUint32(4, bodySize, true);
  view.setUint32(8, bodyChecksum, true);
  view.setUint32(12, crc32c(bytes, 0, 12), true);
  return bytes;
}

test("the bytes of a frame do not change", () => {
  const hex = Buffer.from(encodeFrame(bytesOf("123456789"))).toString("hex");
  expect(hex.slice(0, 24)).toBe("716c6631" + "09000000" + "839206e3");
  expect(hex.slice(32)).toBe("313233343536373839");
});

test("frames come out whole, whichever way the stream is cut", () => {
  const bodies = [bytesOf("one"), new Uint8Array(0), new Uint8Array(70_000).fill(7), bytesOf("four")];
  const stream = Buffer.concat(bodies.map(encodeFrame));
  for (const size of [1, 3, 16, 17, 65_536, stream.length]) {
    const reader = new FrameReader(LIMIT);
    const found: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += size) found.push(...reader.push(stream.subarray(at, at + size)));
    expect(found.map(hexOf)).toEqual(bodies.map(hexOf));
    expect(reader.fault).toBeNull();
    expect(reader.isBetweenFrames).toBe(true);
  }
});

test("a body does not share memory with the chunk that it came in", () => {
  const chunk = encodeFrame(bytesOf("mine"));
  const [body] = new FrameReader(LIMIT).push(chunk);
  chunk.fill(0);
  expect(body).toEqual(bytesOf("mine"));
  expect(body!.buffer.byteLength).toBe(4);
});

test("a stream of something else is known by its first four bytes", () => {
  const reader = new FrameReader(LIMIT);
  expect(reader.push(bytesOf("GET"))).toEqual([]);
  expect(reader.fault).toBeNull();
  reader.push(bytesOf(" / HTTP/1.1\r\n\r\n"));
  expect(reader.fault).toMatchObject({ type: "badMagic", offset: 0 });
});

test("a whole header of something else in one chunk is bad magic too", () => {
  const reader = new FrameReader(LIMIT);
  reader.push(bytesOf("HTTP/1.1 400 Bad Request\r\n\r\n"));
  expect(reader.fault).toMatchObject({ type: "badMagic" });
});

test("every flipped bit of a frame is found, and the frames before it are given out", () => {
  const first = encodeFrame(bytesOf("intact"));
  const second = encodeFrame(bytesOf("harmed"));
  const kinds = new Set<string>();
  for (let bit = 0; bit < second.length * 8; bit++) {
    const flipped = second.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const reader = new FrameReader(LIMIT);
    expect(reader.push(Buffer.concat([first, flipped]))).toEqual([bytesOf("intact")]);
    expect(reader.fault).toMatchObject({ offset: first.length });
    kinds.add(reader.fault!.type);
  }
  expect([...kinds].sort()).toEqual(["badChecksum", "badHeader", "badMagic"]);
});

test("a fault is final: what follows is not read", () => {
  const reader = new FrameReader(LIMIT);
  reader.push(bytesOf("nonsense"));
  const fault = reader.fault;
  expect(fault).not.toBeNull();
  expect(reader.push(encodeFrame(bytesOf("too late")))).toEqual([]);
  expect(reader.fault).toBe(fault);
});

test("a frame above the limit is refused by its header alone, one at the limit is taken", () => {
  const reader = new FrameReader(8);
  reader.push(header(9, 0));
  expect(reader.fault).toMatchObject({ type: "oversized", detail: expect.stringContaining("9 bytes") });
  expect(new FrameReader(8).push(encodeFrame(bytesOf("12345678")))).toHaveLength(1);
});

test("an announced size costs no memory until the bytes are there", () => {
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 200 }, () => new FrameReader(64 * LIMIT));
  for (const reader of readers) reader.push(header(64 * LIMIT, 0));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * LIMIT);
  expect(readers.every((reader) => reader.fault === null && !reader.isBetweenFrames)).toBe(true);
});

test("a stream that ends within a frame can be told", () => {
  const reader = new FrameReader(LIMIT);
  const frame = encodeFrame(bytesOf("cut"));
  reader.push(frame.subarray(0, FRAME_HEADER_SIZE + 1));
  expect(reader.isBetweenFrames).toBe(false);
});
