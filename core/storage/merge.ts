/**
 * Merging: the newest files of the stored snapshot become one, so that a page that was overwritten takes no room for
 * long and a snapshot consists of few files. It reads from the disk, judging every page, and writes a file of the same
 * kind; nobody notices but who looks for the files. One merge at a time, beside checkpoints.
 *
 * The hard idea is when. The cases are:
 * 1. Sizes are kept geometric: while a file has less than twice the pages of all newer ones together, it is merged with
 *    them. So a page is rewritten about as often as the logarithm of the database's size says, and no oftener.
 * 2. The files hold more than twice the pages of the database (it has shrunk): all of them are merged.
 * 3. A file is damaged where it does not count any more (its pages have been written again, or its directory stands in
 *    memory): it is merged with all newer ones, and the damage is gone.
 * With that, at rest, files hold at most twice the pages of the database.
 */
import { invariant } from "../invariant.ts";
import type { StorageLimits } from "./boundary.ts";
import type { Owner, Refused } from "./block.ts";
import type { DiskProcedure } from "./file-window.ts";
import { MAX_FILES } from "./manifest.ts";
import { type PageDirectory, type PageFile, pageFileName } from "./page-file.ts";
import { type MemoryDamage, type PagesToWrite, writePageFile } from "./page-file-writer.ts";
import { type PageDamage, readRun } from "./page-run.ts";
import { type PageFault, type PageFiles, type PageSet, StoredSnapshot } from "./page-set.ts";
import { type PreparedManifest, prepareManifest, publish } from "./publication.ts";

type OwnedFiles = PageFiles & { readonly owner: Owner };

const MIN_RATIO = 2;
const MAX_GARBAGE_RATIO = 2;

/** So many pages that do not count are read with those that do: one read more costs as much as a dozen pages. */
const MAX_GAP_PAGES = 8;

/** What is to be merged. */
export interface Merge {
  readonly stored: StoredSnapshot;
  /** The newest of its files, oldest first. */
  readonly inputs: readonly PageFile[];
}

export interface WrittenMerge {
  readonly inputs: readonly PageFile[];
  /** null: nothing is left of the inputs. */
  readonly output: PageFile | null;
  readonly manifest: PreparedManifest;
}

/** A page that was to be merged is damaged: nothing is left of the merge. */
export interface FailedMerge {
  readonly faults: readonly PageFault[];
}

/** null: nothing is to be merged. */
export function planMerge(pages: PageSet): Merge | null {
  const { stored } = pages;
  if (stored === null) return null;
  const { files } = stored;
  const first = firstInput(pages, stored);
  const inputs = files.slice(first);
  const isDue = inputs.length > 1 || (inputs[0] !== undefined && isSuperfluous(pages, stored, inputs[0]));
  return isDue && inputs.every((file) => pages.isMergeable(file)) ? { stored, inputs } : null;
}

/** From which file on they are merged. */
function firstInput(pages: PageSet, { state, files }: StoredSnapshot): number {
  const total = files.reduce((sum, { count }) => sum + count, 0);
  if (total > MAX_GARBAGE_RATIO * state.pageCount) return 0;
  let first = Math.max(0, files.length - 1);
  let newer = files[first]?.count ?? 0;
  while (first > 0 && files[first - 1]!.count < MIN_RATIO * newer) newer += files[--first]!.count;
  const damaged = files.findIndex((file) => pages.isDamaged(file));
  return damaged === -1 ? first : Math.min(first, damaged);
}

/** Whether a file should be written again though there is none to merge it with. */
function isSuperfluous(pages: PageSet, { state }: StoredSnapshot, file: PageFile): boolean {
  return pages.isDamaged(file) || file.count > MAX_GARBAGE_RATIO * state.pageCount;
}

/**
 * Writes the merged file, durably. null: there is no space, or somebody else wants it. Nothing is left of one that was
 * not written.
 *
 * @param mayGoOn asked before each piece
 */
export function* writeMerge(
  files: OwnedFiles, merge: Merge, limits: Pick<StorageLimits, "maxWriteBytes">, mayGoOn = (): boolean => true,
): DiskProcedure<WrittenMerge | FailedMerge | MemoryDamage | null> {
  const { pages } = files;
  pages.hold(merge.stored);
  const written = yield* writeHeld(files, merge, limits.maxWriteBytes, mayGoOn);
  pages.letGo(merge.stored);
  return written;
}

function* writeHeld(
  files: OwnedFiles, merge: Merge, maxWriteBytes: number, mayGoOn: () => boolean,
): DiskProcedure<WrittenMerge | FailedMerge | MemoryDamage | null> {
  const { stored: { state, files: { length } }, inputs } = merge;
  const manifest = yield* prepareManifest(files, state.configuration, length);
  if (manifest === null) return null;
  if (inputs.every(({ numbers }) => numbers[0]! > state.pageCount)) return { inputs, output: null, manifest };
  const merged = new MergedPages(inputs, state.pageCount, mayGoOn);
  const plan = {
    cluster: files.owner.cluster, through: inputs.at(-1)!.through, pageSize: state.pageSize, pages: merged,
  };
  const output = yield* writePageFile(files.pages.takeSequence(), plan, maxWriteBytes);
  if (output !== null && !("damagedPage" in output)) return { inputs, output, manifest };
  yield { type: "unlink", file: manifest.file };
  if (output !== null) return output;
  return merged.damage.length === 0 ? null : { faults: files.pages.noteDamage(merged.damage) };
}

/** The pages that count among those of some files. */
class MergedPages implements PagesToWrite {
  /** Those that were read in vain. */
  readonly damage: PageDamage[] = [];
  private readonly inputs: readonly PageFile[];
  private readonly pageCount: number;
  private readonly mayGoOn: () => boolean;
  /** Of each input: how many of its entries have been looked at. */
  private readonly cursors: number[];
  private listedCount = 0;
  /** With room for all there may be. */
  private readonly numbers: Uint32Array;
  private readonly crcs: Uint32Array;
  /** By place here: which input has the page, and at which place there. */
  private readonly holders: Uint16Array;
  private readonly places: Uint32Array;
  /** For what is read, one run after the other: as large as a piece. */
  private room: Uint8Array = new Uint8Array(0);

  constructor(inputs: readonly PageFile[], pageCount: number, mayGoOn: () => boolean) {
    invariant(inputs.length <= MAX_FILES, "a snapshot has few files");
    this.inputs = inputs;
    this.pageCount = pageCount;
    this.mayGoOn = mayGoOn;
    this.cursors = inputs.map(() => 0);
    const room = Math.min(pageCount, inputs.reduce((sum, { count }) => sum + count, 0));
    this.numbers = new Uint32Array(room);
    this.crcs = new Uint32Array(room);
    this.holders = new Uint16Array(room);
    this.places = new Uint32Array(room);
  }

  get listed(): PageDirectory {
    return { numbers: this.numbers.subarray(0, this.listedCount), crcs: this.crcs.subarray(0, this.listedCount) };
  }

  /**
   * Looks at the next entries of all inputs together: of all versions of a page, so that the newest is known. The
   * inputs themselves are never walked as a whole.
   */
  list(maxCount: number): PageDirectory | null {
    const entries = this.nextEntries(maxCount);
    if (entries === null) return null;
    const from = this.listedCount;
    let before = 0;
    for (const entry of entries) {
      const number = Math.floor(entry / MAX_FILES);
      const holder = this.inputs.length - 1 - (entry % MAX_FILES);
      const place = this.cursors[holder]!++;
      if (number !== before && number <= this.pageCount) this.add(number, holder, place);
      before = number;
    }
    const end = this.listedCount;
    return { numbers: this.numbers.subarray(from, end), crcs: this.crcs.subarray(from, end) };
  }

  /** Of all inputs, up to some page: ascending, those of one page from the newest on. null: there are none. */
  private nextEntries(maxCount: number): Float64Array | null {
    const { inputs, cursors } = this;
    const each = Math.max(1, Math.floor(maxCount / inputs.length));
    let through = Infinity;
    for (const [at, { numbers }] of inputs.entries()) {
      if (cursors[at]! + each < numbers.length) through = Math.min(through, numbers[cursors[at]! + each - 1]!);
    }
    const entries = new Float64Array(each * inputs.length);
    let count = 0;
    for (const [at, { numbers }] of inputs.entries()) {
      for (let place = cursors[at]!; place < numbers.length && numbers[place]! <= through; place++) {
        entries[count++] = numbers[place]! * MAX_FILES + inputs.length - 1 - at;
      }
    }
    return count === 0 ? null : entries.subarray(0, count).sort();
  }

  private add(number: number, holder: number, place: number): void {
    const at = this.listedCount++;
    this.numbers[at] = number;
    this.crcs[at] = this.inputs[holder]!.crcs[place]!;
    this.holders[at] = holder;
    this.places[at] = place;
  }

  /** False: some of them are damaged. */
  *readInto(piece: Uint8Array, from: number): DiskProcedure<boolean> {
    if (!this.mayGoOn()) return false;
    const { pageSize } = this.inputs[0]!;
    const end = from + piece.length / pageSize;
    if (this.room.length < piece.length) this.room = new Uint8Array(piece.length);
    for (const [holder, input] of this.inputs.entries()) {
      for (let at = this.next(holder, from, end); at < end; at = this.next(holder, at, end)) {
        const targets = this.neighbours(holder, at, end);
        const wanted = targets.map((target) => this.places[target]!);
        const [first, last] = [wanted[0]!, wanted.at(-1)!];
        const isWanted = wanted.length === last - first + 1 ? undefined : isAmong(wanted);
        // What an input has in between is in the piece as well, from a newer one.
        invariant(last - first < end - from, "a run is no longer than its piece");
        const run = yield* readRun(input, first, last + 1, isWanted, this.room);
        this.damage.push(...run.damage);
        for (const [i, target] of targets.entries()) {
          const offset = (wanted[i]! - first) * pageSize;
          piece.set(run.bytes.subarray(offset, offset + pageSize), (target - from) * pageSize);
        }
        at = targets.at(-1)! + 1;
      }
    }
    return this.damage.length === 0;
  }

  /** The first place from `at` on whose page this input has. */
  private next(holder: number, at: number, end: number): number {
    while (at < end && this.holders[at] !== holder) at++;
    return at;
  }

  /** From `at` on: the places of pages that stand next to each other in this input, or nearly so. */
  private neighbours(holder: number, at: number, end: number): number[] {
    const targets = [at];
    for (let place = this.places[at]!, next = at + 1; next < end; next++) {
      if (this.holders[next] !== holder) continue;
      if (this.places[next]! - place > MAX_GAP_PAGES + 1) break;
      place = this.places[next]!;
      targets.push(next);
    }
    return targets;
  }
}

function isAmong(places: readonly number[]): (place: number) => boolean {
  const among = new Set(places);
  return (place) => among.has(place);
}

/** The merged file takes the place of its inputs, unless these have gone meanwhile: then nothing is left of it. */
export function* publishMerge(files: OwnedFiles, written: WrittenMerge): DiskProcedure<Refused | null> {
  const { inputs, output, manifest } = written;
  const current = files.pages.stored;
  const at = current?.files.indexOf(inputs[0]!) ?? -1;
  if (current === null || at === -1 || inputs.some((input, i) => current.files[at + i] !== input)) {
    yield { type: "unlink", file: manifest.file };
    if (output !== null) yield { type: "unlink", file: pageFileName(output.sequence) };
    return null;
  }
  const merged = [...current.files];
  merged.splice(at, inputs.length, ...(output === null ? [] : [output]));
  return yield* publish(files, manifest, new StoredSnapshot(current.state, merged));
}
