/**
 * Assembles a small wasm module that lets SQLite call JavaScript: for each method one exported wasm function, fit for
 * SQLite's function table, that calls an imported JavaScript function. 64-bit integers are turned into doubles on the
 * way: file offsets are below 2^53, and a BigInt for each would cost more than the copy of a page.
 *
 * The binary (WebAssembly core specification 1.0, §5.5), for method k of n: types 2k (as SQLite calls it) and 2k+1 (as
 * JavaScript is called), import k of type 2k+1, function n+k of type 2k with the body
 * `local.get 0 … [f64.convert_i64_s] … call k`, and an export of its name.
 */
import { encodeUtf8 } from "../utf8.ts";

/** "i": i32, "j": i64, "v": no result. */
type ValueType = "i" | "j" | "v";

export interface TrampolineMethod {
  readonly name: string;
  /** The result, then the parameters: "iiij". */
  readonly signature: string;
}

/** The name of the module that the functions are imported from. */
export const IMPORT_MODULE = "vfs";

const I32 = 0x7f;
const I64 = 0x7e;
const F64 = 0x7c;
const FUNCTION_TYPE = 0x60;
const LOCAL_GET = 0x20;
const F64_CONVERT_I64_S = 0xb9;
const CALL = 0x10;
const END = 0x0b;

export function assembleTrampoline(methods: readonly TrampolineMethod[]): Uint8Array {
  const types = methods.flatMap(({ signature }) => [functionType(signature, I64), functionType(signature, F64)]);
  const imports = methods.map(({ name }, k) => [...text(IMPORT_MODULE), ...text(name), 0, ...unsigned(2 * k + 1)]);
  const functions = methods.map((_, k) => unsigned(2 * k));
  const exports = methods.map(({ name }, k) => [...text(name), 0, ...unsigned(methods.length + k)]);
  const bodies = methods.map(({ signature }, k) => body(signature, k));
  return new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(2, imports),
    ...section(3, functions),
    ...section(7, exports),
    ...section(10, bodies),
  ]);
}

function functionType(signature: string, wide: number): number[] {
  const [result, ...parameters] = [...signature] as ValueType[];
  const byte = (type: ValueType): number[] => (type === "v" ? [] : [type === "j" ? wide : I32]);
  const results = result === undefined || result === "v" ? [] : [byte(result)];
  return [FUNCTION_TYPE, ...vector(parameters.map(byte)), ...vector(results)];
}

function body(signature: string, imported: number): number[] {
  const code = [0];
  [...signature].slice(1).forEach((type, parameter) => {
    code.push(LOCAL_GET, ...unsigned(parameter));
    if (type === "j") code.push(F64_CONVERT_I64_S);
  });
  code.push(CALL, ...unsigned(imported), END);
  return [...unsigned(code.length), ...code];
}

function section(id: number, items: readonly number[][]): number[] {
  const content = vector(items);
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly number[][]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(value: string): number[] {
  const bytes = [...encodeUtf8(value)];
  return [...unsigned(bytes.length), ...bytes];
}

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const rest = value >>> 7;
    bytes.push((value & 0x7f) | (rest === 0 ? 0 : 0x80));
    value = rest;
  } while (value !== 0);
  return bytes;
}
