/** The manifest and the head of a snapshot's stream, byte by byte: what is written, and what is refused. */
import { expect, test } from "vitest";
import { ByteWriter } from "../core/bytes.ts";
import { crc32c } from "../core/checksum.ts";
import { encodeConfiguration } from "../core/raft/configuration-codec.ts";
import { beginBlock, sealBlock, writeOwner } from "../core/storage/block.ts";
import {
  MANIFEST_FILE, MAX_FILES, MAX_MANIFEST_SIZE, type Manifest, decodeManifest, encodeManifest, manifestSize,
} from "../core/storage/manifest.ts";
import { MAX_PAGES } from "../core/storage/page-file.ts";
import {
  type PortableManifest, decodeHeadSize, decodeStreamHead, encodeStreamHead, snapshotIdOf,
} from "../core/storage/snapshot-stream.ts";
import type { Incarnation, LogIndex } from "../core/types.ts";
import { expectGolden, flippedBits, truncations } from "./golden-file.ts";
import { OWNER } from "./page-directory.ts";
import { configurationOf, id } from "./storage-run.ts";

const index = (value: number): LogIndex => value as LogIndex;

const MANIFEST: Manifest = {
  state: {
    entry: id(3, 70), configuration: configurationOf(["a", "c_3"]),
    pageSize: 4096, pageCount: 12, checksum: 0x123456789abc,
  },
  files: [
    { sequence: 4, through: index(20), count: 12, checksum: 0xaabbccdd },
    { sequence: 2, through: index(50), count: 3, checksum: 0x11223344 },
    { sequence: 9, through: index(50), count: 1, checksum: 0x55667788 },
  ],
};
const BYTES = encodeManifest(OWNER, MANIFEST);
const HALF = BYTES.length / 2;
const HEAD = encodeStreamHead(MANIFEST);
const SNAPSHOT = snapshotIdOf(MANIFEST, HEAD);

test("the formats of a manifest and of a stream's head are the golden ones", () => {
  expectGolden("storage-manifest", BYTES);
  expectGolden("storage-stream-head", HEAD);
  expect(BYTES.length).toBe(manifestSize(MANIFEST.state.configuration, 3));
});

test("a manifest is decoded as it was encoded, however much room it has", () => {
  const many = { ...MANIFEST, files: Array.from({ length: MAX_FILES }, () => MANIFEST.files[0]!) };
  for (const manifest of [MANIFEST, { ...MANIFEST, files: [] }, many]) {
    for (const size of [0, 8 * 8192]) {
      const bytes = encodeManifest(OWNER, manifest, size);
      expect(bytes.length).toBeGreaterThanOrEqual(size);
      expect(decodeManifest(bytes, OWNER)).toEqual({ ok: true, value: { manifest, damage: null } });
    }
  }
  expect(encodeManifest(OWNER, many).length).toBeLessThanOrEqual(MAX_MANIFEST_SIZE);
});

test("a manifest outlives the loss of either half, and says what is damaged", () => {
  for (const { bytes, at } of flippedBits(BYTES)) {
    const decoded = decodeManifest(bytes, OWNER);
    const damage = { type: "corrupt", file: MANIFEST_FILE, offset: at < HALF ? 0 : HALF };
    expect(decoded).toMatchObject({ ok: true, value: { manifest: MANIFEST, damage } });
  }
  for (const offset of [0, HALF]) {
    const bytes = BYTES.slice().fill(0, offset, offset + HALF);
    expect(decodeManifest(bytes, OWNER)).toMatchObject({ ok: true, value: { manifest: MANIFEST, damage: { offset } } });
  }
});

test("a manifest with both halves damaged is refused, every truncation is", () => {
  const bytes = BYTES.slice();
  bytes[150]! ^= 1;
  bytes[HALF + 3000]! ^= 1;
  expect(decodeManifest(bytes, OWNER)).toMatchObject({ ok: false, fault: { type: "corrupt", file: MANIFEST_FILE } });
  for (const shorter of truncations(BYTES)) {
    expect(decodeManifest(shorter, OWNER)).toMatchObject({ ok: false, fault: { type: "corrupt" } });
  }
});

/** A manifest of these fields behind the owner, with a right checksum; `version` and `owner` as they are told. */
function made(fields: (writer: ByteWriter) => ByteWriter, version = 1, owner = OWNER): Uint8Array {
  const writer = writeOwner(beginBlock({ file: MANIFEST_FILE, offset: 0, magic: "qlitemft", version }), owner);
  const half = sealBlock(fields(writer), 4096);
  return Uint8Array.from([...half, ...half]);
}

const CONFIGURATION = encodeConfiguration(MANIFEST.state.configuration);

function fields({
  index: at = 70, pageSize = 4096, pageCount = 12, fileCount = 1, through = 20, count = 12, size = CONFIGURATION.length,
} = {}) {
  return (writer: ByteWriter): ByteWriter => {
    writer.u64(3).u64(at).u64(1).u32(pageSize).u32(pageCount).u32(fileCount).u32(size);
    return writer.u64(4).u64(through).u32(count).u32(5).raw(CONFIGURATION);
  };
}

test("what no manifest says is refused, before anything is made room for", () => {
  expect(decodeManifest(made(fields()), OWNER).ok).toBe(true);
  const refused: readonly (readonly [Parameters<typeof fields>[0], string])[] = [
    [{ index: 0 }, "of an entry"],
    [{ pageSize: 65537 }, "at most 65536 bytes"],
    [{ pageSize: 0 }, "pages have a size"],
    [{ pageCount: MAX_PAGES + 1 }, `at most ${MAX_PAGES} pages`],
    [{ fileCount: MAX_FILES + 1 }, `at most ${MAX_FILES} files`],
    [{ through: 71 }, "up to the entry"],
    [{ through: 0 }, "up to the entry"],
    [{ count: 0 }, "some pages"],
    [{ count: MAX_PAGES + 1 }, "some pages"],
    [{ size: 1024 * 1024 + 1 }, "at most 1 MiB"],
    [{ size: 5 }, "of the configuration"],
  ];
  for (const [change, detail] of refused) {
    const decoded = decodeManifest(made(fields(change)), OWNER);
    expect(decoded).toMatchObject({ ok: false, fault: { type: "corrupt", detail: expect.stringContaining(detail) } });
  }
  expect(decodeManifest(new Uint8Array(MAX_MANIFEST_SIZE + 8192), OWNER).ok).toBe(false);
});

test("files that go back in time are refused", () => {
  const [first, second] = [MANIFEST.files[0]!, MANIFEST.files[1]!];
  const bytes = encodeManifest(OWNER, { ...MANIFEST, files: [second, first] });
  const fault = { type: "corrupt", detail: expect.stringContaining("follow") };
  expect(decodeManifest(bytes, OWNER)).toMatchObject({ ok: false, fault });
});

test("a manifest of another version is refused by name, another node's as foreign, though one half is damaged", () => {
  const other = { ...OWNER, incarnation: "ffffffffffffffff" as Incarnation };
  for (const damaged of [[], [0], [4096]]) {
    const of = (bytes: Uint8Array): Uint8Array => bytes.map((byte, at) => (damaged.includes(at) ? byte ^ 1 : byte));
    const wrongVersion = decodeManifest(of(made(fields(), 2)), OWNER);
    expect(wrongVersion).toEqual({
      ok: false, fault: { type: "wrongVersion", file: MANIFEST_FILE, found: 2, expected: 1 },
    });
    expect(decodeManifest(of(made(fields(), 1, other)), OWNER)).toMatchObject({ fault: { type: "wrongIdentity" } });
  }
});

test("the head of a stream is decoded as it was encoded, and says what the snapshot is", () => {
  const { files, state } = MANIFEST;
  const portable: PortableManifest = {
    state, files: files.map(({ through, count, checksum }) => ({ through, count, checksum })),
  };
  expect(decodeHeadSize(HEAD.subarray(0, 8))).toEqual({ ok: true, value: HEAD.length });
  expect(decodeStreamHead(HEAD, SNAPSHOT)).toEqual({ ok: true, value: portable });
  const pages = (12 + 3 + 1) * 4096 + 3 * 8192;
  expect(SNAPSHOT).toEqual({
    entry: state.entry, configuration: state.configuration, size: HEAD.length + pages, checksum: crc32c(HEAD, 8),
  });
});

test("every flipped bit and every truncation of a stream's head is refused, and a head of another stream", () => {
  for (const { bytes } of flippedBits(HEAD)) expect(decodeStreamHead(bytes, SNAPSHOT).ok).toBe(false);
  for (const bytes of truncations(HEAD)) expect(decodeStreamHead(bytes, SNAPSHOT).ok).toBe(false);
  const { size, checksum } = SNAPSHOT;
  const others = [{ size: size + 1 }, { checksum: checksum ^ 1 }, { entry: id(3, 71) }, { entry: id(2, 70) }];
  for (const change of others) {
    const decoded = decodeStreamHead(HEAD, { ...SNAPSHOT, ...change });
    expect(decoded).toMatchObject({ ok: false, fault: { rule: "the stream is the one it is named" } });
  }
});

/** A head of these bytes behind its size and checksum, and the snapshot that it would be. */
function headOf(manifest: Uint8Array): ReturnType<typeof decodeStreamHead> {
  const head = new ByteWriter().u32(manifest.length).u32(crc32c(manifest)).raw(manifest).finish();
  return decodeStreamHead(head, { ...SNAPSHOT, checksum: crc32c(manifest) });
}

test("a stream of another version, or of too many files, is refused by name", () => {
  const manifest = HEAD.slice(8);
  manifest[0] = 2;
  expect(headOf(manifest)).toMatchObject({ ok: false, fault: { rule: "a manifest has version 1, not 2" } });
  manifest[0] = 1;
  new DataView(manifest.buffer).setUint32(36, MAX_FILES + 1, true);
  const rule = `a snapshot consists of at most ${MAX_FILES} files`;
  expect(headOf(manifest)).toMatchObject({ ok: false, fault: { rule } });
  const prefix = new ByteWriter().u32(2 << 20).u32(0).finish();
  expect(decodeHeadSize(prefix)).toMatchObject({ ok: false, fault: { offset: 0 } });
});
