/**
 * A disk in memory that performs each operation at once and can say what a crash might leave of it: all legal images.
 *
 * Of each write that no sync has followed a crash keeps all, nothing, or some of its pieces: those that 512-byte
 * sectors cut it into, each kept, lost or garbage. Garbage stays within the bytes written: a sector's neighbours are
 * not harmed ("power safe overwrite", as SQLite calls it). Of the creations, renames and removals that no syncDirectory
 * has followed it keeps any.
 *
 * Blocks can be made unreadable until they are written as a whole, and space can be made short.
 */
import { crc32c } from "../core/checksum.ts";
import type { Random } from "../core/random.ts";
import type { DiskFailure, DiskOperation, DiskResult } from "../core/storage/disk.ts";

const SECTOR_SIZE = 512;
/** What cannot be read is as large as this. */
const BLOCK_SIZE = 4096;

interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What a crash makes of one piece of a write. */
type Fate = "kept" | "lost" | "garbage";

class MemoryFile {
  /** What survives any crash. Never written into. */
  durable: Uint8Array;
  /** In order; not synced yet. */
  readonly writes: Write[] = [];
  /** As it reads now. Never written into. */
  current: Uint8Array;

  constructor(durable: Uint8Array) {
    this.durable = durable;
    this.current = durable;
  }

  write(write: Write): void {
    this.writes.push(write);
    this.current = overwrite(this.current, write);
  }

  sync(): void {
    this.durable = this.current;
    this.writes.length = 0;
  }

  extend(size: number): void {
    const nothing = { offset: size, bytes: new Uint8Array(0) };
    this.durable = overwrite(this.durable, nothing);
    this.current = overwrite(this.current, nothing);
  }

  copy(): MemoryFile {
    const copy = new MemoryFile(this.durable);
    copy.writes.push(...this.writes);
    copy.current = this.current;
    return copy;
  }
}

type Directory = Map<string, MemoryFile>;

/** A creation, a renaming or a removal. */
interface DirectoryChange {
  readonly named: readonly [string, MemoryFile] | null;
  readonly removed: string | null;
}

export class MemoryDisk {
  private files: Directory = new Map();
  /** The directory as the last syncDirectory left it. */
  private durableFiles: Directory = new Map();
  /** What has become of it since. */
  private changes: DirectoryChange[] = [];
  /** `file block`, of those that cannot be read. */
  private readonly unreadable = new Set<string>();
  /** How many bytes all files together may have. */
  capacity = Infinity;

  static of(files: Readonly<Record<string, Uint8Array>>): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [file, bytes] of Object.entries(files)) disk.files.set(file, new MemoryFile(bytes));
    disk.durableFiles = new Map(disk.files);
    return disk;
  }

  /** The file's bytes as they read now; undefined: there is none. */
  bytesOf(file: string): Uint8Array | undefined {
    return this.files.get(file)?.current.slice();
  }

  get names(): string[] {
    return [...this.files.keys()].sort();
  }

  /** From now on the block that holds this byte cannot be read. */
  makeUnreadable(file: string, offset: number): this {
    this.unreadable.add(`${file} ${Math.floor(offset / BLOCK_SIZE)}`);
    return this;
  }

  /** Why the operation fails, if it were performed now; null: it does not. */
  failureOf(operation: DiskOperation): DiskFailure | null {
    const fails = (code: string, file: string): DiskFailure => ({ code, file, message: "so the test wants it" });
    if (operation.type === "read") {
      const { file, offset, length } = operation;
      for (let block = Math.floor(offset / BLOCK_SIZE); block * BLOCK_SIZE < offset + length; block++) {
        if (this.unreadable.has(`${file} ${block}`)) return fails("EIO", file);
      }
    }
    if (operation.type === "preallocate" || operation.type === "write") {
      const size = this.files.get(operation.file)?.current.length ?? 0;
      const needed = operation.type === "write" ? operation.offset + operation.bytes.length : operation.size;
      let used = 0;
      for (const file of this.files.values()) used += file.current.length;
      if (needed > size && used + needed - size > this.capacity) return fails("ENOSPC", operation.file);
    }
    return null;
  }

  perform(operation: DiskOperation): DiskResult {
    switch (operation.type) {
      case "open": {
        if (operation.create && !this.files.has(operation.file)) {
          const created = new MemoryFile(new Uint8Array(0));
          this.change({ named: [operation.file, created], removed: null });
        }
        return { type: "open", size: this.files.get(operation.file)?.current.length ?? null };
      }
      case "write":
        this.file(operation.file).write({ offset: operation.offset, bytes: operation.bytes.slice() });
        this.heal(operation.file, operation.offset, operation.offset + operation.bytes.length);
        return { type: "done" };
      case "read": {
        const { offset, length } = operation;
        return { type: "read", bytes: this.file(operation.file).current.slice(offset, offset + length) };
      }
      case "sync":
        this.file(operation.file).sync();
        return { type: "done" };
      case "preallocate":
        this.file(operation.file).extend(operation.size);
        return { type: "done" };
      case "rename": {
        const renamed = this.file(operation.from);
        for (const block of [...this.unreadable]) {
          const [file, number] = block.split(" ");
          if (file === operation.to || file === operation.from) this.unreadable.delete(block);
          if (file === operation.from) this.unreadable.add(`${operation.to} ${number}`);
        }
        // The new name is there whether or not the file's creation was kept.
        this.change({ named: [operation.to, renamed], removed: operation.from });
        return { type: "done" };
      }
      case "unlink":
        this.change({ named: null, removed: operation.file });
        return { type: "done" };
      case "list":
        return { type: "list", files: [...this.files.keys()].sort() };
      case "syncDirectory":
        this.durableFiles = new Map(this.files);
        this.changes = [];
        return { type: "done" };
    }
  }

  /** The same for disks of which a recovery reads the same. */
  digest(): string {
    const files = [...this.files].map(([name, file]) => {
      return isLeftover(name) ? name : `${name} ${file.current.length} ${checksumOf(file.current)}`;
    });
    return files.sort().join();
  }

  /** Every legal image of this disk after a crash now. The disk itself stays as it is. */
  *images(): Generator<MemoryDisk> {
    for (let kept = 0; kept < 1 << this.changes.length; kept++) {
      const changes = this.changes.filter((_, at) => (kept >> at) & 1);
      yield* imagesOf([...changed(this.durableFiles, changes)], 0, {});
    }
  }

  /** One legal image, drawn. */
  randomImage(random: Random): MemoryDisk {
    const made: Record<string, Uint8Array> = {};
    const kept = this.changes.filter(() => random.oneIn(2));
    for (const [name, file] of changed(this.durableFiles, kept)) {
      made[name] = file.writes.reduce((bytes, write) => {
        const pieces = cut(write);
        const common = random.pick<Fate | null>(["kept", "lost", null]);
        const fates = pieces.map(() => common ?? random.pick<Fate>(["kept", "lost", "garbage"]));
        return applyPieces(bytes, pieces, fates);
      }, file.durable);
    }
    return MemoryDisk.of(made);
  }

  /** This disk as the next process finds it when this one is killed: nothing is lost, nothing more is durable. */
  killed(): MemoryDisk {
    const copies = new Map<MemoryFile, MemoryFile>();
    const copied = (file: MemoryFile): MemoryFile => {
      const copy = copies.get(file) ?? file.copy();
      copies.set(file, copy);
      return copy;
    };
    const copyOf = (files: Directory): Directory => new Map([...files].map(([name, file]) => [name, copied(file)]));
    const disk = new MemoryDisk();
    disk.files = copyOf(this.files);
    disk.durableFiles = copyOf(this.durableFiles);
    disk.changes = this.changes.map(({ named, removed }) => {
      return { named: named === null ? null : [named[0], copied(named[1])], removed };
    });
    return disk;
  }

  /** A block that is written as a whole can be read again. */
  private heal(file: string, from: number, end: number): void {
    for (let block = Math.ceil(from / BLOCK_SIZE); (block + 1) * BLOCK_SIZE <= end; block++) {
      this.unreadable.delete(`${file} ${block}`);
    }
  }

  private change(change: DirectoryChange): void {
    this.changes.push(change);
    this.files = changed(this.files, [change]);
  }

  private file(name: string): MemoryFile {
    const file = this.files.get(name);
    if (file === undefined) throw new Error(`there is no file ${name}`);
    return file;
  }
}

/** Contents are never written into, and most are those of many images. */
const checksums = new WeakMap<Uint8Array, number>();

function checksumOf(bytes: Uint8Array): number {
  const checksum = checksums.get(bytes) ?? crc32c(bytes);
  checksums.set(bytes, checksum);
  return checksum;
}

function changed(files: Directory, changes: readonly DirectoryChange[]): Directory {
  const result = new Map(files);
  for (const { named, removed } of changes) {
    if (removed !== null) result.delete(removed);
    if (named !== null) result.set(...named);
  }
  return result;
}

/** What a recovery removes unread: two contents of it will do. */
function isLeftover(name: string): boolean {
  return name.endsWith(".new") || name.endsWith(".part");
}

function* imagesOf(
  directory: readonly (readonly [string, MemoryFile])[], at: number, made: Readonly<Record<string, Uint8Array>>,
): Generator<MemoryDisk> {
  const next = directory[at];
  if (next === undefined) return yield MemoryDisk.of(made);
  const [name, file] = next;
  const contents = isLeftover(name) ? [file.durable, file.current] : contentsOf(file.durable, file.writes);
  for (const bytes of contents) {
    yield* imagesOf(directory, at + 1, { ...made, [name]: bytes });
  }
}

function* contentsOf(durable: Uint8Array, writes: readonly Write[]): Generator<Uint8Array> {
  const [first, ...others] = writes;
  if (first === undefined) return yield durable;
  const pieces = cut(first);
  for (const fates of fatesOf(pieces.length)) {
    yield* contentsOf(applyPieces(durable, pieces, fates), others);
  }
}

function applyPieces(durable: Uint8Array, pieces: readonly Write[], fates: readonly Fate[]): Uint8Array {
  const written = pieces.filter((_, at) => fates[at] !== "lost");
  const end = written.reduce((size, { offset, bytes }) => Math.max(size, offset + bytes.length), durable.length);
  const bytes = new Uint8Array(end);
  bytes.set(durable);
  for (const [at, { offset, bytes: piece }] of pieces.entries()) {
    if (fates[at] === "kept") bytes.set(piece, offset);
    if (fates[at] === "garbage") for (let byte = 0; byte < piece.length; byte++) bytes[offset + byte] = byte * 31 + 7;
  }
  return bytes;
}

/** All or nothing; up to a place, or from it on; the same with garbage at that place. */
function* fatesOf(count: number): Generator<readonly Fate[]> {
  const fates = (fate: (at: number) => Fate): Fate[] => Array.from({ length: count }, (_, at) => fate(at));
  yield fates(() => "kept");
  yield fates(() => "lost");
  for (let place = 0; place < count; place++) {
    if (place > 0) yield fates((at) => (at < place ? "kept" : "lost"));
    if (place > 0) yield fates((at) => (at < place ? "lost" : "kept"));
    yield fates((at) => (at < place ? "kept" : at === place ? "garbage" : "lost"));
    if (count > 1) yield fates((at) => (at === place ? "garbage" : "kept"));
  }
}

/** The pieces of a write, each within one sector. */
function cut(write: Write): Write[] {
  const pieces: Write[] = [];
  const end = write.offset + write.bytes.length;
  for (let offset = write.offset; offset < end; ) {
    const next = Math.min(end, (Math.floor(offset / SECTOR_SIZE) + 1) * SECTOR_SIZE);
    pieces.push({ offset, bytes: write.bytes.subarray(offset - write.offset, next - write.offset) });
    offset = next;
  }
  return pieces;
}

function overwrite(bytes: Uint8Array, write: Write): Uint8Array {
  const result = new Uint8Array(Math.max(bytes.length, write.offset + write.bytes.length));
  result.set(bytes);
  result.set(write.bytes, write.offset);
  return result;
}
