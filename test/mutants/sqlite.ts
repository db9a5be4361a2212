/** Bugs of the pages under SQLite, of its connections, and of what a transaction's frames become. */
import type { Mutant } from "../../cli/mutant.ts";
import { planted, plantedAgainst, plantedInSqlite } from "./planting.ts";

const PAGE_STORE = "core/pages/page-store.ts";
const EXECUTOR = "core/database/executor.ts";

export const SQLITE_MUTANTS: readonly Mutant[] = [
  planted(
    "database: commits of a lost leadership stay",
    "dqlite until 13fa9676",
    "Their frames are not undone: what the next leader has committed is applied on top of them (W1).",
    [
      EXECUTOR,
      "    const verdicts = this.outbox.abandon();\n    this.engine.discard(0);\n",
      "    const verdicts = this.outbox.abandon();\n",
    ],
  ),
  planted(
    "database: an open transaction outlives its leadership",
    "dqlite until 9b3ac556",
    "It holds the writer where the next leader's entries have to be applied (W5).",
    [EXECUTOR, '    this.abortTransaction("leadership was lost");\n', ""],
  ),
  plantedInSqlite(
    "pages: frames of a transaction that was rolled back stay",
    "dqlite until 4dadac6f, c3f9e0eb",
    "The next transaction begins behind them, and takes them along (W2, W4).",
    [PAGE_STORE, "      this.frames.truncate(this.committedFrames);\n      // SQLite cleans", "      // SQLite cleans"],
  ),
  plantedInSqlite(
    "pages: a checkpoint does not wait for readers",
    "dqlite until 2654bd6d, litefs #142",
    "Frames that a connection looks at move into the database under its eyes (W9, W19).",
    [PAGE_STORE, " || !this.locks.idle || ", " || "],
  ),
  plantedInSqlite(
    "pages: a header is used a second time",
    "turso #2361",
    "The change counter stands still, so connections believe in pages that they have read before (W22).",
    [PAGE_STORE, "    this.lastChange += 1;\n    return make", "    return make"],
  ),
  plantedInSqlite(
    "sqlite: what lies beyond a file's end is not filled with zeros",
    "dqlite until 7bcb2be4",
    "A short read leaves in SQLite's buffer what was there before (W16).",
    ["core/sqlite/vfs-file.ts", "    this.memory.u8.fill(0, address, end);\n", ""],
  ),
  plantedInSqlite(
    "pages: of a page that was written twice the first version counts",
    null,
    "A transaction that outgrew SQLite's cache has written a page twice: what is replicated is not what was committed.",
    [
      PAGE_STORE,
      "      if (pageNumber <= header.pageCount) newest.set(pageNumber, this.frames.page(frame));",
      "      if (pageNumber > header.pageCount || newest.has(pageNumber)) continue;\n"
        + "      newest.set(pageNumber, this.frames.page(frame));",
    ],
  ),
  plantedAgainst(
    "test/payload.test.ts > what a leader has encoded is held against what the transaction did",
    planted(
      "wal: a payload without the last page is proposed",
      null,
      "The encoder leaves a page out, and nobody holds what it made against what the transaction did (rule 8).",
      [
        "core/wal/payload.ts",
        "  return { payload, digests };",
        "  if (pages.length > 2) return { ...encodePayload(pageSize, pageCount, pages.slice(0, -1)), digests };\n"
          + "  return { payload, digests };",
      ],
      [
        "core/wal/payload.ts",
        "  if (value.pages.length !== digests.length) return false;\n"
          + "  return digests.every(({ number, crc }, place) => {",
        "  return digests.length > 0 || digests.every(({ number, crc }, place) => {",
      ],
    ),
  ),
];
