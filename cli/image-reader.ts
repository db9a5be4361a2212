/** Opens exported databases with sql.js as its package gives it, none of our code in between. */
import { createRequire } from "node:module";
import type { SqlValue } from "../core/database/engine.ts";
import type { ImageReader } from "../sim/oracles/boundary.ts";

interface SqlJsDatabase {
  exec(sql: string): readonly { readonly values: readonly (readonly SqlValue[])[] }[];
  close(): void;
}
interface SqlJsPackage {
  readonly Database: new (image: Uint8Array) => SqlJsDatabase;
}

export async function loadImageReader(): Promise<ImageReader> {
  const initialize = createRequire(import.meta.url)("sql.js") as () => Promise<SqlJsPackage>;
  const { Database } = await initialize();
  return {
    open: (image) => {
      const database = new Database(image);
      return {
        query: (sql) => database.exec(sql)[0]?.values ?? [],
        integrityCheck: () => String(database.exec("PRAGMA integrity_check")[0]?.values[0]?.[0]),
        close: () => database.close(),
      };
    },
  };
}
