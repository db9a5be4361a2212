/**
 * The reader of WAL frames beside a twin that is written from the file format's description alone, byte by byte: on the
 * very bytes that SQLite writes through our VFS, whole and damaged, both stop at the same frame.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { WalChain } from "../core/wal/wal-chain.ts";
import { decodeWalHeader } from "../core/wal/wal-format.ts";
import { examples } from "./chance.ts";
import { SqliteNode } from "../test/sqlite-node.ts";

/** A -wal file as it would lie on a disk, before anything was checkpointed. */
function realWal(pageSize: number): Buffer {
  const node = new SqliteNode({ pageSize, checkpointFrames: 1_000_000, seed: 3 });
  const writer = node.connect("speculative", 5);
  writer.execute("CREATE TABLE t (a, b); CREATE INDEX i ON t (b)");
  writer.execute(
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 99) INSERT INTO t SELECT x, x FROM n",
  );
  // More than the cache: pages are written before the commit, and again; then SQLite rewrites checksums.
  writer.execute(
    "BEGIN; UPDATE t SET b = hex(randomblob(99)); UPDATE t SET a = a + 1; DELETE FROM t WHERE a < 9; COMMIT",
  );
  writer.execute("DELETE FROM t");
  const { frames, walHeader } = node.store;
  const pieces: Uint8Array[] = [walHeader];
  for (let frame = 0; frame < frames.count; frame++) {
    pieces.push(frames.headers.subarray(frame * 24, frame * 24 + 24), frames.page(frame));
  }
  return Buffer.concat(pieces);
}

/** How many frames count, by our reader. */
function countFrames(wal: Buffer): number {
  const header = decodeWalHeader(wal);
  if (!header.ok) return 0;
  const { order, salt, checksum, pageSize } = header.value;
  const chain = new WalChain(order, salt, checksum);
  let count = 0;
  for (let at = 32; at + 24 + pageSize <= wal.length; at += 24 + pageSize) {
    if (!chain.accept(wal, at, wal.subarray(at + 24, at + 24 + pageSize)).ok) break;
    count += 1;
  }
  return count;
}

/** The same, as slowly and plainly as it can be said. */
function countFramesPlainly(wal: Buffer): number {
  const magic = wal.length < 32 ? 0 : wal.readUInt32BE(0);
  if (magic !== 0x377f0682 && magic !== 0x377f0683) return 0;
  const word = (at: number): number => (magic === 0x377f0683 ? wal.readUInt32BE(at) : wal.readUInt32LE(at));
  let sums = [0n, 0n];
  const add = (from: number, end: number): void => {
    for (let at = from; at < end; at += 8) {
      const first = (sums[0]! + BigInt(word(at)) + sums[1]!) % (1n << 32n);
      sums = [first, (sums[1]! + BigInt(word(at + 4)) + first) % (1n << 32n)];
    }
  };
  const sumsAt = (at: number): boolean =>
    sums[0] === BigInt(wal.readUInt32BE(at)) && sums[1] === BigInt(wal.readUInt32BE(at + 4));
  const pageSize = wal.readUInt32BE(8);
  add(0, 24);
  if (wal.readUInt32BE(4) !== 3007000 || ![512, 1024, 4096].includes(pageSize) || !sumsAt(24)) return 0;
  let count = 0;
  for (let at = 32; at + 24 + pageSize <= wal.length; at += 24 + pageSize) {
    if (wal.readUInt32BE(at) === 0 || wal.compare(wal, 16, 24, at + 8, at + 16) !== 0) break;
    add(at, at + 8);
    add(at + 24, at + 24 + pageSize);
    if (!sumsAt(at + 16)) break;
    count += 1;
  }
  return count;
}

test.each([512, 1024])(
  "a WAL that SQLite wrote is read to its end, whatever is damaged up to there, pages of %d",
  (pageSize) => {
    const wal = realWal(pageSize);
    const frames = (wal.length - 32) / (24 + pageSize);
    expect(frames).toBeGreaterThan(20);
    expect([countFrames(wal), countFramesPlainly(wal)]).toEqual([frames, frames]);
    const damage = fc.record({ at: fc.nat(wal.length * 8 - 1), size: fc.nat(wal.length), cut: fc.boolean() });
    fc.assert(
      fc.property(damage, ({ at, size, cut }) => {
        const damaged = Buffer.from(cut ? wal.subarray(0, size) : wal);
        if (!cut) damaged[at >> 3]! ^= 1 << (at & 7);
        const count = countFrames(damaged);
        expect(count).toBe(countFramesPlainly(damaged));
        // Every byte is covered: the WAL ends before the frame that was hit.
        expect(count).toBe(cut ? Math.max(0, Math.floor((size - 32) / (24 + pageSize))) : frameOf(at >> 3, pageSize));
      }),
      examples(60),
    );
  },
);

function frameOf(at: number, pageSize: number): number {
  return at < 32 ? 0 : Math.floor((at - 32) / (24 + pageSize));
}
