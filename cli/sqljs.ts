/**
 * Loads the installed sql.js and hands it to core/sqlite as a value. sql.js makes one instance per load of its
 * module, so its source is compiled once and run anew for each engine; the wasm code is compiled once and shared.
 * With `instantiateWasm` answered at once, everything is there when the call returns: no promise is waited for.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { compileFunction } from "node:vm";
import type {
  SqlJsInstance, SqlJsModule, WasmLinker, WasmMemoryObject, WasmTableObject,
} from "../core/sqlite/sql-js.ts";

// The compiler's types for Node leave WebAssembly out.
interface WebAssemblyNamespace {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
  readonly Memory: abstract new () => WasmMemoryObject;
  readonly Table: abstract new () => WasmTableObject;
  readonly RuntimeError: abstract new () => Error;
}
const { WebAssembly: wasm } = globalThis as unknown as { WebAssembly: WebAssemblyNamespace };

type InstantiateWasm = (imports: object, done: (instance: object, module: object) => void) => object;

export function loadSqlJs(): SqlJsModule {
  const require = createRequire(import.meta.url);
  const script = require.resolve("sql.js/dist/sql-wasm.js");
  const binary = new wasm.Module(readFileSync(require.resolve("sql.js/dist/sql-wasm.wasm")));
  // The package does not export its own description, but it stands beside.
  const { version } = JSON.parse(readFileSync(join(dirname(script), "../package.json"), "utf8")) as { version: string };
  const parameters = ["module", "exports", "require", "__filename", "__dirname"];
  const evaluate = compileFunction(readFileSync(script, "utf8"), parameters, { filename: script });

  const instantiate = (): SqlJsInstance => {
    const module: { exports: unknown } = { exports: {} };
    evaluate(module, module.exports, require, script, dirname(script));
    const initialize = module.exports as (configuration: object) => unknown;
    let exported: unknown[] = [];
    const instantiateWasm: InstantiateWasm = (imports, done) => {
      const instance = new wasm.Instance(binary, imports);
      exported = Object.values(instance.exports);
      done(instance, binary);
      return instance.exports;
    };
    // sql.js turns this very object into its module.
    const configuration: Record<string, unknown> = { instantiateWasm };
    initialize(configuration);
    return {
      exports: configuration,
      memories: exported.filter((value) => value instanceof wasm.Memory),
      tables: exported.filter((value) => value instanceof wasm.Table),
    };
  };

  return { version, instantiate, release: () => {}, compile, isTrap };
}

function compile(bytes: Uint8Array): WasmLinker {
  const module = new wasm.Module(bytes);
  return (imports) => new wasm.Instance(module, imports).exports;
}

/** A RangeError is an exhausted stack: wasm code was cut off as surely as by a trap. */
function isTrap(error: unknown): boolean {
  return error instanceof wasm.RuntimeError || error instanceof RangeError;
}
