/**
 * Judges a file of pages while its bytes come in, from first to last: header, directory and each page as soon as it is
 * whole. What it keeps is the directory, which becomes that of the file, and never a page.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import type { ClusterId } from "../types.ts";
import { type Refused, brokenRule } from "./block.ts";
import {
  PAGE_FILE_HEADER_SIZE, type PageDirectory, type PageFile, type PageFileHeader, type PageFileTraits,
  decodePageDirectory, decodePageFileHeader, pageFileSize, pagesAtOf,
} from "./page-file.ts";

/** What the file has to be. */
export interface ExpectedFile {
  readonly cluster: ClusterId;
  readonly pageSize: number;
  readonly traits: PageFileTraits;
}

export class PageFileJudge {
  readonly size: number;
  private readonly file: string;
  private readonly expected: ExpectedFile;
  /** How many bytes have been judged. */
  private at = 0;
  private readonly head: Uint8Array;
  private header: PageFileHeader | null = null;
  private directory: PageDirectory | null = null;
  /** Of the page that has come in part. */
  private crc = 0;

  /** @param file its name, for faults */
  constructor(file: string, expected: ExpectedFile) {
    const { pageSize, traits: { count } } = expected;
    this.file = file;
    this.expected = expected;
    this.size = pageFileSize(count, pageSize);
    this.head = new Uint8Array(pagesAtOf(count));
  }

  /** The next bytes of the file. null: nothing is wrong with them. */
  take(bytes: Uint8Array): Refused | null {
    invariant(this.at + bytes.length <= this.size, "only the bytes of a file are judged");
    let taken = 0;
    while (taken < bytes.length) {
      const end = Math.min(this.nextEnd(), this.at + bytes.length - taken);
      const piece = bytes.subarray(taken, taken + end - this.at);
      taken += piece.length;
      const refused = this.takePiece(piece);
      if (refused !== null) return refused;
    }
    return null;
  }

  /** All bytes have been judged. */
  get isWhole(): boolean {
    return this.at === this.size;
  }

  /** The file, under its name. */
  finish(sequence: number): PageFile {
    const { directory, expected: { pageSize, traits } } = this;
    invariant(this.isWhole && directory !== null, "a file is judged as a whole");
    return { ...traits, sequence, pageSize, ...directory };
  }

  /** Where the part ends that is judged next as a whole. */
  private nextEnd(): number {
    if (this.at < PAGE_FILE_HEADER_SIZE) return PAGE_FILE_HEADER_SIZE;
    if (this.at < this.head.length) return this.head.length;
    const { pageSize } = this.expected;
    return this.head.length + (Math.floor((this.at - this.head.length) / pageSize) + 1) * pageSize;
  }

  private takePiece(piece: Uint8Array): Refused | null {
    if (this.at >= this.head.length) return this.takePage(piece);
    this.head.set(piece, this.at);
    this.at += piece.length;
    if (this.at === PAGE_FILE_HEADER_SIZE) return this.judgeHeader();
    if (this.at < this.head.length || this.header === null) return null;
    const directory = decodePageDirectory(this.file, this.header, this.head.subarray(PAGE_FILE_HEADER_SIZE));
    if (!directory.ok) return directory;
    this.directory = directory.value;
    return null;
  }

  private judgeHeader(): Refused | null {
    const header = decodePageFileHeader(this.file, this.head);
    if (!header.ok) return header;
    const refused = judgeTraits(this.file, header.value, this.expected);
    this.header = header.value;
    return refused;
  }

  private takePage(piece: Uint8Array): Refused | null {
    const { pageSize } = this.expected;
    const pagesAt = this.head.length;
    this.crc = crc32c(piece, 0, piece.length, this.crc);
    this.at += piece.length;
    if ((this.at - pagesAt) % pageSize !== 0) return null;
    const place = (this.at - pagesAt) / pageSize - 1;
    const isRight = this.crc === this.directory?.crcs[place];
    this.crc = 0;
    if (isRight) return null;
    const number = this.directory?.numbers[place] ?? 0;
    return brokenRule(this.file, this.at - pageSize, `the checksum of page ${number} matches`);
  }
}

/** null: the header is that of the file that is expected. */
export function judgeTraits(
  file: string, header: PageFileHeader, { cluster, pageSize, traits }: ExpectedFile,
): Refused | null {
  if (header.cluster !== cluster) {
    const [found, expected] = [`cluster ${header.cluster}`, `cluster ${cluster}`];
    return { ok: false, fault: { type: "wrongIdentity", file, found, expected } };
  }
  const { through, count, checksum } = traits;
  const isIt = header.checksum === checksum && header.through === through && header.count === count;
  return isIt && header.pageSize === pageSize ? null : brokenRule(file, 0, "a file is the one that its manifest names");
}
