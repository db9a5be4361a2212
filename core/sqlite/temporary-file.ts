/**
 * A file that only its connection sees: what SQLite spills while it sorts, VACUUMs or journals a statement. It lives
 * outside the wasm memory, which can grow but never shrink.
 */
import { OK } from "./result-code.ts";
import { VfsFile } from "./vfs-file.ts";

const INITIAL_BYTES = 65536;

export class TemporaryFile extends VfsFile {
  private bytes = new Uint8Array(0);
  private length = 0;

  size(): number {
    return this.length;
  }

  read(address: number, size: number, offset: number): number {
    const end = Math.min(offset + size, this.length);
    const copied = Math.max(0, end - offset);
    if (copied > 0) this.memory.u8.set(this.bytes.subarray(offset, end), address);
    return copied === size ? OK : this.shortRead(address + copied, address + size);
  }

  write(address: number, size: number, offset: number): number {
    const end = offset + size;
    if (end > this.bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.bytes.length * 2, INITIAL_BYTES));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    // Reading beyond an earlier end must give zeros, whatever a truncation left there.
    if (offset > this.length) this.bytes.fill(0, this.length, offset);
    this.bytes.set(this.memory.u8.subarray(address, address + size), offset);
    this.length = Math.max(this.length, end);
    return OK;
  }

  override truncate(size: number): number {
    this.length = Math.min(this.length, size);
    return OK;
  }
}
