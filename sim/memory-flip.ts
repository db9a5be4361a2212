/**
 * A state that is changed behind everybody's back: one byte of one page, as if memory, a processor or a bug of ours had
 * made it so. What the engine knows of the page (its checksum, that of the whole) is right for the wrong page: no
 * checksum of any file can find it, and only the comparison with others does.
 *
 * It goes by the engine's own face: its pages are cut, and restored with the change. The byte is one that no reader
 * looks at: a wrong one that is read is told to a client at once, and one that is written again, with its page, by a
 * leader that has not found it yet becomes everybody's.
 */
import { crc32c } from "../core/checksum.ts";
import { invariant } from "../core/invariant.ts";
import { RollingChecksum } from "../core/pages/rolling-checksum.ts";
import type { Engine, EngineFactory, EngineLimits } from "../core/database/engine.ts";
import type { StoredPage } from "../core/pages/page-cut.ts";

interface Place {
  readonly page: number;
  readonly offset: number;
}

/** SQLite's user_version. */
const UNUSED_IN_SQLITE: Place = { page: 1, offset: 60 };
/** Behind the accounts. */
const UNUSED_IN_MODEL: Place = { page: 2, offset: 4095 };
/** "S" of "SQLite format 3". */
const SQLITE_BEGINS = 0x53;

export class FlippableEngines implements EngineFactory {
  private readonly factory: EngineFactory;
  /** The one made last; null: none yet. */
  private engine: Engine | null = null;
  private isCutting = false;
  private isRestoring = false;

  constructor(factory: EngineFactory) {
    this.factory = factory;
  }

  create(seed: Uint8Array, limits: EngineLimits): Engine {
    const engine = this.factory.create(seed, limits);
    this.engine = engine;
    this.isCutting = false;
    this.isRestoring = false;
    const { cut, endCut, beginRestore, finishRestore } = engine;
    engine.cut = () => {
      this.isCutting = true;
      return cut.call(engine);
    };
    engine.endCut = (isStored) => {
      this.isCutting = false;
      endCut.call(engine, isStored);
    };
    engine.beginRestore = (pageSize, pageCount) => {
      this.isRestoring = true;
      return beginRestore.call(engine, pageSize, pageCount);
    };
    engine.finishRestore = (checksum, restored) => {
      this.isRestoring = false;
      return finishRestore.call(engine, checksum, restored);
    };
    return engine;
  }

  /** False: not now, as something is under way. */
  flip(seed: Uint8Array): boolean {
    const { engine } = this;
    if (engine === null || this.isCutting || this.isRestoring) return false;
    if (engine.inTransaction() || engine.speculative() > 0) return false;
    const { pageSize, pageCount } = cutOff(engine);
    const place = placeIn(engine, pageCount);
    if (place === null) return false;
    const everything = Array.from({ length: pageCount }, (_, at) => at + 1);
    engine.touch(everything);
    const pages = changedPages(engine, place);
    const checksum = new RollingChecksum();
    for (const { number, crc } of pages) checksum.set(number, crc);
    const fault = engine.beginRestore(pageSize, pageCount) ?? engine.restorePages(pages)
      ?? engine.finishRestore(checksum.value(pageCount), seed);
    invariant(fault === null, "an engine takes its own pages back");
    // What is stored of it is of another time: the next cut has all of it.
    engine.touch(everything);
    return true;
  }
}

function cutOff(engine: Engine): { pageSize: number; pageCount: number } {
  const { pageSize, pageCount } = engine.cut();
  engine.endCut(false);
  return { pageSize, pageCount };
}

/** null: the database is too young. */
function placeIn(engine: Engine, pageCount: number): Place | null {
  if (pageCount === 0) return null;
  const place = engine.image()[0] === SQLITE_BEGINS ? UNUSED_IN_SQLITE : UNUSED_IN_MODEL;
  return place.page <= pageCount ? place : null;
}

function changedPages(engine: Engine, { page, offset }: Place): StoredPage[] {
  const cut = engine.cut();
  const pages = [...cut.numbers].map((number, at): StoredPage => {
    const bytes = cut.pageAt(at).slice();
    if (number !== page) return { number, crc: cut.crcs[at]!, bytes };
    bytes[offset]! ^= 1;
    return { number, crc: crc32c(bytes), bytes };
  });
  engine.endCut(false);
  return pages;
}
