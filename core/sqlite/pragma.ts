/**
 * Which PRAGMAs a client may give. SQLite asks the VFS before it runs one (SQLITE_FCNTL_PRAGMA), so no spelling
 * escapes.
 *
 * What a PRAGMA may do, the rule being that one client's settings never change what another sees:
 * - ask something, or change the database itself (user_version): allowed, it is replicated like any statement;
 * - set something until the end of the transaction (defer_foreign_keys): allowed;
 * - set something of the connection: refused, as all clients share it. In a script `foreign_keys` may be set, because
 *   migrations have to; it is on again at the script's end;
 * - change the journal, the locking or the format of the file: refused, they belong to replication.
 */

/** These only ask, with or without an argument, or change the database itself. */
const ALLOWED_WITH_VALUE: ReadonlySet<string> = new Set([
  "application_id", "user_version", "defer_foreign_keys", "incremental_vacuum", "optimize",
  "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list",
  "foreign_key_check", "integrity_check", "quick_check",
]);

/** Without a value, every other PRAGMA only asks. */
const REFUSED_WITHOUT_VALUE: ReadonlySet<string> = new Set(["wal_checkpoint"]);

/** SQLite's PRAGMAs that belong to replication. */
const OF_REPLICATION: ReadonlySet<string> = new Set([
  "journal_mode", "locking_mode", "wal_checkpoint", "wal_autocheckpoint", "page_size", "auto_vacuum", "encoding",
  "schema_version", "writable_schema",
]);

/** Why it is refused; null: it is not. `name` is as the client wrote it, `value` null where there is none. */
export function pragmaRefusal(name: string, value: string | null, inScript: boolean): string | null {
  const pragma = name.toLowerCase();
  if (value === null && !REFUSED_WITHOUT_VALUE.has(pragma)) return null;
  if (value !== null && ALLOWED_WITH_VALUE.has(pragma)) return null;
  // The line with which most applications begin; it says what is so already.
  if (pragma === "journal_mode" && value?.toLowerCase() === "wal") return null;
  if (pragma === "foreign_keys") {
    if (inScript || isOn(value)) return null;
    return "PRAGMA foreign_keys can only be switched off within a script, at whose end it is on again";
  }
  if (OF_REPLICATION.has(pragma)) {
    return `PRAGMA ${pragma} cannot be set: journal, locking and file format belong to replication`;
  }
  return `PRAGMA ${pragma} cannot be set: it would hold for the connection, which all clients of the node share`;
}

function isOn(value: string | null): boolean {
  return value !== null && ["1", "on", "yes", "true"].includes(value.toLowerCase());
}
