/**
 * Text as SQLite hands it out and takes it in. It may hold bytes that are no UTF-8 (CAST(x'ff' AS TEXT)): those come
 * out as U+FFFD, as from every SQLite library. What goes in is judged first: SQLite has to be able to give it back
 * unchanged.
 */
import { decodeUtf8, isWellFormed } from "../utf8.ts";

const REPLACEMENT = "\ufffd";
/** Arguments of one fromCharCode; more would need a deep stack. */
const CHUNK = 4096;

export function decodeText(bytes: Uint8Array, from: number, end: number): string {
  let ascii = from;
  while (ascii < end && bytes[ascii]! < 0x80) ascii++;
  let text = "";
  if (ascii - from < 24) for (let at = from; at < ascii; at++) text += String.fromCharCode(bytes[at]!);
  else for (let at = from; at < ascii; at += CHUNK) text += fromAscii(bytes.subarray(at, Math.min(at + CHUNK, ascii)));
  if (ascii === end) return text;
  return text + (decodeUtf8(bytes, ascii, end) ?? repair(bytes, ascii, end));
}

function fromAscii(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

/** Every byte that begins no valid sequence becomes U+FFFD. */
function repair(bytes: Uint8Array, from: number, end: number): string {
  let text = "";
  for (let at = from; at < end; ) {
    const first = bytes[at]!;
    const size = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    const decoded = at + size <= end ? decodeUtf8(bytes, at, at + size) : null;
    text += decoded ?? REPLACEMENT;
    at += decoded === null ? 1 : size;
  }
  return text;
}

/** Why SQLite cannot keep this text as it is; null: it can. */
export function textFault(text: string): string | null {
  if (text.includes("\0")) return "it contains a NUL character, at which SQLite's functions would end it";
  if (!isWellFormed(text)) return "it contains a lone surrogate, which has no UTF-8";
  return null;
}
