/** What disks do to files while nobody looks: the damage that tests on real files inflict. */
import fs from "node:fs";
import path from "node:path";
import type { Random } from "../core/random.ts";

const BLOCK = 4096;

export type DamageKind =
  /** The file ends at a random place. */
  | "cut"
  | "bit"
  /** One to eight bits at random places are flipped. */
  | "bits"
  /** A block is garbage. */
  | "block"
  | "removed";

/** The files of a data directory that something refers to, sorted. */
export function filesIn(directory: string): string[] {
  return fs.readdirSync(directory).filter((name) => /^[a-z0-9-]+$/.test(name)).sort();
}

/** Inflicts the damage; returns it as words. */
export function damage(directory: string, file: string, kind: DamageKind, random: Random): string {
  const name = path.join(directory, file);
  const { size } = fs.statSync(name);
  if (kind === "removed") {
    fs.rmSync(name);
    return `${file} removed`;
  }
  if (kind === "cut") {
    const length = random.integer(0, size - 1);
    fs.truncateSync(name, length);
    return `${file} cut from ${size} to ${length} bytes`;
  }
  const bytes = fs.readFileSync(name);
  const from = kind === "block" ? BLOCK * random.integer(0, Math.ceil(size / BLOCK) - 1) : 0;
  const places: number[] = [];
  if (kind === "block") {
    const end = Math.min(from + BLOCK, size);
    bytes.set(random.bytes(end - from), from);
    places.push(from);
  } else {
    for (let flips = kind === "bit" ? 1 : random.integer(1, 8); flips > 0; flips--) {
      const at = random.integer(0, size - 1);
      bytes[at] = bytes[at]! ^ (1 << random.integer(0, 7));
      places.push(at);
    }
  }
  fs.writeFileSync(name, bytes);
  return `${file}: ${kind} at ${places.join(", ")}`;
}
