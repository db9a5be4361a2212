/** ByteWriter and ByteReader: what one writes the other reads, and the first impossible field is the fault. */
import { expect, test } from "vitest";
import { ByteReader, ByteWriter } from "../core/bytes.ts";

test("hex digits stand for their bytes, all 256 of them", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const digits = Buffer.from(bytes).toString("hex");
  expect(new ByteWriter(1).hex(digits).finish()).toEqual(bytes);
  expect(new ByteReader(bytes).hex(256)).toBe(digits);
});

test("each kind of field is read as it was written, in the order of writing, across growth of the buffer", () => {
  const writer = new ByteWriter(1).u8(255).u16(65_535).u32(4_294_967_295).u64(Number.MAX_SAFE_INTEGER).i64(-1n);
  writer.f64(-0.5).raw(Uint8Array.of(1, 2)).blob(Uint8Array.of(3)).text("käse").hex("0af0");
  const reader = new ByteReader(writer.finish());
  expect([reader.u8(), reader.u16(), reader.u32(), reader.u64()]).toEqual([255, 65_535, 4_294_967_295, 2 ** 53 - 1]);
  expect([reader.i64(), reader.f64()]).toEqual([-1n, -0.5]);
  expect([reader.raw(2), reader.blob(1)]).toEqual([Uint8Array.of(1, 2), Uint8Array.of(3)]);
  expect([reader.text(5), reader.hex(2)]).toEqual(["käse", "0af0"]);
  expect(reader.finish("all")).toEqual({ ok: true, value: "all" });
});

test("after the first fault everything reads as nothing, and the first fault stays", () => {
  const reader = new ByteReader(new ByteWriter().u32(9).u32(7).finish());
  expect(reader.blob(8)).toEqual(new Uint8Array(0));
  expect(reader.u32()).toBe(0);
  expect(reader.finish(null)).toEqual({ ok: false, fault: { rule: "a length is at most 8", offset: 0 } });
});

test("a u64 above 2^53-1 is a fault, not a rounded number", () => {
  const reader = new ByteReader(Uint8Array.of(0, 0, 0, 0, 0, 0, 0x20, 0));
  expect(reader.u64()).toBe(0);
  expect(reader.fault).toEqual({ rule: "a u64 is at most 2^53-1", offset: 0 });
});

test("what is left over is a fault", () => {
  const reader = new ByteReader(Uint8Array.of(1, 2));
  reader.u8();
  expect(reader.finish(null)).toEqual({ ok: false, fault: { rule: "nothing follows the last field", offset: 1 } });
});
