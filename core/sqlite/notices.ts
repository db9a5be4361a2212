/**
 * What the VFS noticed while a statement ran, which SQLite itself reports only as some error. The engine clears it
 * before each statement and reads it after a failed one.
 */
export class Notices {
  /** A reader's statement asked for the write lock: it writes. */
  writeRefused = false;
  /** The transaction's pages exceeded the limit of a payload. */
  payloadExceeded = false;
  /** Why something that only clients would ask for was refused; null: nothing was. */
  refusal: string | null = null;
  /** The engine's own statements are not judged. */
  trusted = false;
  inScript = false;

  clear(): void {
    this.writeRefused = false;
    this.payloadExceeded = false;
    this.refusal = null;
  }
}
