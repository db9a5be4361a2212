/**
 * CRC-32C (Castagnoli, reflected 0x82f63b78; RFC 3720 appendix B.4), slice-by-8: the one checksum of our formats.
 *
 * `crc32c(bytes)` of the nine characters "123456789" is 0xe3069283.
 */
const TABLES: readonly Uint32Array[] = makeTables();

function makeTables(): Uint32Array[] {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    (tables[0] as Uint32Array)[byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let slice = 1; slice < 8; slice++) {
      const before = (tables[slice - 1] as Uint32Array)[byte] as number;
      (tables[slice] as Uint32Array)[byte] = (before >>> 8) ^ ((tables[0] as Uint32Array)[before & 0xff] as number);
    }
  }
  return tables;
}

/**
 * The checksum of bytes[from, end). To checksum in pieces, pass the result of the previous piece as `previous`.
 */
export function crc32c(bytes: Uint8Array, from = 0, end = bytes.length, previous = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as [
    Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array,
  ];
  let crc = ~previous;
  let at = from;
  const slicesEnd = end - 7;
  while (at < slicesEnd) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      t7[low & 0xff]! ^ t6[(low >>> 8) & 0xff]! ^ t5[(low >>> 16) & 0xff]! ^ t4[low >>> 24]! ^
      t3[bytes[at + 4]!]! ^ t2[bytes[at + 5]!]! ^ t1[bytes[at + 6]!]! ^ t0[bytes[at + 7]!]!;
    at += 8;
  }
  while (at < end) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at++]!) & 0xff]!;
  return ~crc >>> 0;
}
