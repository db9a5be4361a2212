/**
 * Which of a snapshot's files has the page that counts: of all versions of a page the newest. Made when it is needed,
 * in memory of two bytes a page.
 */
import { invariant } from "../invariant.ts";
import type { PageDirectory } from "./page-file.ts";

export class PageMap {
  readonly files: readonly PageDirectory[];
  /** By page number: 1 + the place of its file in `files`; 0: no file has it. */
  private readonly holders: Uint16Array;

  /**
   * @param files oldest first
   * @param pageCount pages beyond it are absent, whatever the files hold
   */
  constructor(files: readonly PageDirectory[], pageCount: number) {
    invariant(files.length < 0xffff, "a snapshot has few files");
    this.files = files;
    this.holders = new Uint16Array(pageCount + 1);
    for (const [at, { numbers }] of files.entries()) {
      for (let place = 0; place < numbers.length && numbers[place]! <= pageCount; place++) {
        this.holders[numbers[place]!] = at + 1;
      }
    }
  }

  /** Whether the page of this number counts that stands in the file at a place of `files`. */
  counts(at: number, number: number): boolean {
    return this.holders[number] === at + 1;
  }

  /** The place of its file in `files`; null: the page is absent. */
  holderOf(number: number): number | null {
    const holder = this.holders[number] ?? 0;
    return holder === 0 ? null : holder - 1;
  }
}
