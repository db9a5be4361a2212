/**
 * The two crossings between JavaScript and wasm, and the only place of core/ where `catch` stands.
 *
 * - Out of wasm, into a VFS callback: an exception must not unwind SQLite's stack. It is kept, SQLite hears of an I/O
 *   error and ends the statement in good order, and the error comes up again for the statement that caused it.
 * - Into wasm: a trap leaves SQLite's structures half changed. The instance is never entered again.
 *
 * Anything else that is thrown is a bug of ours and goes its way.
 */
import type { SqlJsModule } from "./sql-js.ts";

export type Guarded<T> =
  | { readonly type: "returned"; readonly value: T }
  | { readonly type: "trapped"; readonly message: string };

export class Guard {
  private readonly isTrap: SqlJsModule["isTrap"];
  /** What a callback threw during the present statement. */
  private kept: { readonly error: unknown } | null = null;

  constructor(isTrap: SqlJsModule["isTrap"]) {
    this.isTrap = isTrap;
  }

  /** Wraps a VFS callback: it never throws, but returns `code`. */
  callback(method: (...values: number[]) => number, code: number): (...values: number[]) => number {
    // Five arguments are the most that a VFS method has; a rest parameter would cost an array for each page.
    return (a?: number, b?: number, c?: number, d?: number, e?: number): number => {
      try {
        return method(a!, b!, c!, d!, e!);
      } catch (error) {
        this.kept ??= { error };
        return code;
      }
    };
  }

  /** Runs something that enters wasm. */
  enter<T>(body: () => T): Guarded<T> {
    try {
      const value = body();
      if (this.kept === null) return { type: "returned", value };
    } catch (error) {
      this.kept ??= { error };
    }
    const { error } = this.kept;
    this.kept = null;
    if (!this.isTrap(error)) throw error;
    return { type: "trapped", message: String(error) };
  }
}
