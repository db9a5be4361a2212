/**
 * What the driver of a member of a World (raft-world.ts) does with snapshots: takes, stores, sends, receives and pins
 * them, and writes them down in other ways; and what may befall it: no room, pages that cannot be read, and what is
 * skipped because it is there already.
 */
import type { RaftInput } from "../core/raft/boundary.ts";
import type { SnapshotId } from "../core/raft/message.ts";
import type { LogIndex } from "../core/types.ts";
import { frozen } from "./raft-clone.ts";
import { contentOf } from "./raft-disk.ts";
import type { EffectOf, FileJob, Host } from "./raft-member.ts";
import { lastOf, same, type Stable } from "./raft-plain-log.ts";
import { expectThat } from "./raft-witness.ts";

/** What is needed of a World here. */
export interface SnapshotWorld {
  step(host: Host, input: RaftInput): void;
  /** What the member's disk has; null: no snapshot. */
  storedBy(host: Host): SnapshotId | null;
  writeDisk(host: Host, disk: Stable): void;
  count(what: string): void;
}

/** `badly`: there is no room, or it cannot be read. `ahead`: what comes next is there already. */
export type Luck = "well" | "badly" | "ahead";

export type SnapshotJob = Exclude<FileJob, { readonly type: "ReadEntries" }>;

/** So many ways there are to write a snapshot down. */
const STREAMS = 3;

export function doSnapshotJob(world: SnapshotWorld, host: Host, job: SnapshotJob, most: number, luck: Luck): void {
  switch (job.type) {
    case "ReadSnapshot":
      return readSnapshot(world, host, job, most, luck);
    case "StoreChunk":
      return storeChunk(world, host, job, luck);
    case "TakeSnapshot": {
      const point = frozen(host.raft?.snapshotAt(host.applied as LogIndex) ?? null);
      // null: a newer one has come.
      if (point !== null) host.fileJobs = [...host.fileJobs, { type: "StoreSnapshot", point }];
      return;
    }
    case "StoreSnapshot": {
      const { entry } = job.point;
      const isOvertaken = entry.index < host.disk.snapshot;
      if (luck === "badly" || isOvertaken) return world.step(host, { type: "SnapshotAbandoned" });
      return store(world, host, { ...job.point, ...streamOf(entry, (host.disk.stream + 1) % STREAMS) });
    }
    default:
      job satisfies never;
  }
}

/** The stored snapshot is written down in another way. */
export function mergeSnapshot(world: SnapshotWorld, host: Host): void {
  const stored = world.storedBy(host);
  if (stored === null) return;
  world.count("merge");
  store(world, host, { ...stored, ...streamOf(stored.entry, (stored.checksum + 1) % STREAMS) });
}

export function pin(host: Host, snapshot: SnapshotId): void {
  expectThat(!host.pinned.some((one) => same(one, snapshot)), "a snapshot is pinned once");
  host.pinned = [...host.pinned, snapshot];
}

export function release(host: Host, snapshot: SnapshotId): void {
  expectThat(host.pinned.some((one) => same(one, snapshot)), "a snapshot that is released was pinned");
  host.pinned = host.pinned.filter((one) => !same(one, snapshot));
}

export function streamOf(entry: SnapshotId["entry"], checksum: number): Pick<SnapshotId, "size" | "checksum"> {
  return { size: contentOf(entry, checksum).length, checksum };
}

function store(world: SnapshotWorld, host: Host, snapshot: SnapshotId): void {
  const { entry: { index }, checksum: stream } = snapshot;
  world.writeDisk(host, { ...host.disk, snapshot: index, stream });
  world.step(host, { type: "SnapshotStored", snapshot });
}

function readSnapshot(
  world: SnapshotWorld, host: Host, { to, snapshot, offset, maxBytes }: EffectOf<"ReadSnapshot">,
  most: number, luck: Luck,
): void {
  const stored = world.storedBy(host);
  const isPinned = host.pinned.some((one) => same(one, snapshot));
  const isThere = isPinned || (stored !== null && same(stored, snapshot));
  const end = offset + Math.min(maxBytes, Math.max(1, most));
  const content = contentOf(snapshot.entry, snapshot.checksum);
  const bytes = isThere && luck !== "badly" ? content.slice(offset, end) : null;
  if (bytes === null) world.count("unreadable");
  world.step(host, { type: "SnapshotRead", to, snapshot, offset, bytes });
}

function storeChunk(
  world: SnapshotWorld, host: Host, { snapshot, offset, bytes }: EffectOf<"StoreChunk">, luck: Luck,
): void {
  const { received } = host;
  const from = received !== null && same(received.snapshot, snapshot) ? received.end : 0;
  const isNext = offset === from || offset === 0;
  expectThat(isNext && offset + bytes.length <= snapshot.size, "chunks are stored without a gap");
  const content = contentOf(snapshot.entry, snapshot.checksum);
  const isTrue = snapshot.size === content.length && bytes.every((byte, at) => byte === content[offset + at]);
  expectThat(isTrue, "chunks are true");
  const reached = offset + bytes.length;
  const end = luck === "ahead" ? Math.min(snapshot.size, reached + 5) : reached;
  host.received = luck === "badly" ? null : { snapshot, end };
  world.count(luck === "well" ? "chunk" : `chunk ${luck}`);
  world.step(host, { type: "ChunkStored", snapshot, end: luck === "badly" ? null : end });
}

/** Whether all of it has been received. */
export function isWhole(host: Host, snapshot: SnapshotId): boolean {
  const { received } = host;
  return received !== null && same(received.snapshot, snapshot) && received.end === snapshot.size;
}

/** The last entry that the disk's snapshot stands for. */
export function entryOfStored({ disk }: Host): SnapshotId["entry"] {
  return lastOf(disk.log.slice(0, disk.snapshot));
}
