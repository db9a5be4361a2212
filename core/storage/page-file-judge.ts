/**
 * Judges a file of pages while its bytes come in, from first to last: header, directory and each page as soon as it is
 * whole. What it keeps is the directory, which becomes that of the file, and never a page.
 */
import { crc32c } from "../checksum.ts";
import { invariant } from "../invariant.ts";
import type { ClusterId } from "../types.ts";
import { type Refused, brokenRule } from "./block.ts";
import {
  PAGE_FILE_HEADER_SIZE, type PageDirectory, PageDirectoryJudge, type PageFile, type PageFileHeader,
  type PageFileTraits, decodePageFileHeader, pageFileSize, pagesAtOf,
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
  private readonly headerBytes = new Uint8Array(PAGE_FILE_HEADER_SIZE);
  private readonly pagesAt: number;
  /** null, here and below: that has not been judged yet. */
  private header: PageFileHeader | null = null;
  private directoryJudge: PageDirectoryJudge | null = null;
  private directory: PageDirectory | null = null;
  /** Of the page that has come in part. */
  private crc = 0;

  /** @param file its name, for faults */
  constructor(file: string, expected: ExpectedFile) {
    const { pageSize, traits: { count } } = expected;
    this.file = file;
    this.expected = expected;
    this.size = pageFileSize(count, pageSize);
    this.pagesAt = pagesAtOf(count);
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
    const { header, directory, expected: { pageSize, traits } } = this;
    invariant(this.isWhole && header !== null && directory !== null, "a file is judged as a whole");
    return { ...traits, sequence, pageSize, directoryChecksum: header.directoryChecksum, ...directory };
  }

  /** Where the part ends that is judged next as a whole. */
  private nextEnd(): number {
    if (this.at < PAGE_FILE_HEADER_SIZE) return PAGE_FILE_HEADER_SIZE;
    if (this.at < this.pagesAt) return this.pagesAt;
    const { pageSize } = this.expected;
    return this.pagesAt + (Math.floor((this.at - this.pagesAt) / pageSize) + 1) * pageSize;
  }

  private takePiece(piece: Uint8Array): Refused | null {
    if (this.at >= this.pagesAt) return this.takePage(piece);
    if (this.directoryJudge !== null) return this.takeDirectory(this.directoryJudge, piece);
    this.headerBytes.set(piece, this.at);
    this.at += piece.length;
    return this.at < PAGE_FILE_HEADER_SIZE ? null : this.judgeHeader();
  }

  private judgeHeader(): Refused | null {
    const header = decodePageFileHeader(this.file, this.headerBytes);
    if (!header.ok) return header;
    const refused = judgeTraits(this.file, header.value, this.expected);
    if (refused !== null) return refused;
    this.header = header.value;
    this.directoryJudge = new PageDirectoryJudge(this.file, header.value);
    return null;
  }

  private takeDirectory(judge: PageDirectoryJudge, piece: Uint8Array): Refused | null {
    judge.take(piece);
    this.at += piece.length;
    if (this.at < this.pagesAt) return null;
    const directory = judge.finish();
    if (!directory.ok) return directory;
    this.directory = directory.value;
    return null;
  }

  private takePage(piece: Uint8Array): Refused | null {
    const { pageSize } = this.expected;
    const { pagesAt } = this;
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
