/**
 * UTF-8 (RFC 3629), as core/ has no TextEncoder. Lone surrogates become U+FFFD when written, as TextEncoder does it;
 * malformed bytes are refused when read, never repaired.
 */

export function utf8Size(text: string): number {
  let size = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x80) size += 1;
    else if (code < 0x800) size += 2;
    else if (isPair(text, at)) {
      size += 4;
      at++;
    } else size += 3;
  }
  return size;
}

export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Size(text));
  writeUtf8(text, bytes, 0);
  return bytes;
}

/** Writes `text` at `at`, where there must be room for utf8Size(text); returns the offset behind it. */
export function writeUtf8(text: string, bytes: Uint8Array, at: number): number {
  for (let from = 0; from < text.length; from++) {
    let code = text.charCodeAt(from);
    if (code < 0x80) {
      bytes[at++] = code;
      continue;
    }
    if (code < 0x800) {
      bytes[at++] = 0xc0 | (code >> 6);
      bytes[at++] = 0x80 | (code & 0x3f);
      continue;
    }
    if (isPair(text, from)) {
      code = 0x10000 + ((code & 0x3ff) << 10) + (text.charCodeAt(++from) & 0x3ff);
      bytes[at++] = 0xf0 | (code >> 18);
      bytes[at++] = 0x80 | ((code >> 12) & 0x3f);
    } else {
      if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
      bytes[at++] = 0xe0 | (code >> 12);
    }
    bytes[at++] = 0x80 | ((code >> 6) & 0x3f);
    bytes[at++] = 0x80 | (code & 0x3f);
  }
  return at;
}

/** Where text is put together: one character at a time would leave a chain as long as the text to the collector. */
const units = new Uint16Array(4096);

/** null: not valid UTF-8 (overlong forms, surrogates and code points above U+10FFFF are not). */
export function decodeUtf8(bytes: Uint8Array, from = 0, end = bytes.length): string | null {
  let text = "";
  let count = 0;
  let at = from;
  while (at < end) {
    if (count >= units.length - 1) {
      text += textOfUnits(count);
      count = 0;
    }
    const first = bytes[at++]!;
    if (first < 0x80) {
      units[count++] = first;
      continue;
    }
    const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || at + more > end) return null;
    let code = first & (0x3f >> more);
    for (let left = more; left > 0; left--) {
      const next = bytes[at++]!;
      if ((next & 0xc0) !== 0x80) return null;
      code = (code << 6) | (next & 0x3f);
    }
    if (more === 2 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) return null;
    if (more === 3 && (code < 0x10000 || code > 0x10ffff)) return null;
    if (code >= 0x10000) {
      units[count++] = 0xd7c0 + (code >> 10);
      code = 0xdc00 | (code & 0x3ff);
    }
    units[count++] = code;
  }
  return text + textOfUnits(count);
}

function textOfUnits(count: number): string {
  return String.fromCharCode.apply(null, units.subarray(0, count) as unknown as number[]);
}

/** Whether every surrogate is half of a pair: such text, and no other, comes back from UTF-8 as it was. */
export function isWellFormed(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0xd800 || code > 0xdfff) continue;
    if (!isPair(text, at)) return false;
    at++;
  }
  return true;
}

function isPair(text: string, at: number): boolean {
  const first = text.charCodeAt(at);
  if (first < 0xd800 || first > 0xdbff) return false;
  const second = text.charCodeAt(at + 1);
  return second >= 0xdc00 && second <= 0xdfff;
}
