/** The whole applied state of an engine, and how another one is put into it. */
import type { ApplyFault, Engine } from "../core/database/engine.ts";
import type { PageCut, StoredPage } from "../core/pages/page-cut.ts";

export interface EngineState {
  readonly pageSize: number;
  readonly pageCount: number;
  readonly checksum: number;
  readonly pages: readonly StoredPage[];
}

/** The pages of a cut, copied: what a disk would have of it. */
export function pagesOf(cut: PageCut): readonly StoredPage[] {
  return Array.from(cut.numbers, (number, place) => {
    return { number, crc: cut.crcs[place]!, bytes: cut.pageAt(place).slice() };
  });
}

/** All of it, whatever cuts were stored before; the next one has all of it, too. */
export function stateOf(engine: Engine): EngineState {
  const { pageCount } = engine.cut();
  engine.endCut(false);
  engine.touch(Array.from({ length: pageCount }, (_, at) => at + 1));
  const cut = engine.cut();
  const { pageSize, checksum } = cut;
  const pages = pagesOf(cut);
  engine.endCut(false);
  return { pageSize, pageCount, checksum, pages };
}

/** Puts the engine into the state, a few pages at a time. null: done. */
export function restoreInto(engine: Engine, state: EngineState, seed: Uint8Array): ApplyFault | null {
  let fault = engine.beginRestore(state.pageSize, state.pageCount);
  for (let from = 0; from < state.pages.length && fault === null; from += 7) {
    fault = engine.restorePages(state.pages.slice(from, from + 7));
  }
  return fault ?? engine.finishRestore(state.checksum, seed);
}
