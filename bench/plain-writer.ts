/**
 * `plain-writer FILE`, forked: for each number of bytes that it is sent it writes a file of so many, as a checkpoint
 * does and as plainly as can be: a mebibyte, fdatasync, the next one. What somebody else's syncs suffer beside it they
 * suffer from the disk.
 */
import { randomFillSync } from "node:crypto";
import fs from "node:fs";

const PIECE = randomFillSync(new Uint8Array(1024 * 1024));

process.on("message", (bytes: number) => {
  const descriptor = fs.openSync(process.argv[2]!, "w");
  for (let left = bytes; left > 0; ) {
    left -= fs.writeSync(descriptor, PIECE, 0, Math.min(left, PIECE.length));
    fs.fdatasyncSync(descriptor);
  }
  fs.closeSync(descriptor);
  process.send!("done");
});
