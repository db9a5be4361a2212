/**
 * What the driver of a node in a protocol story (interaction.ts) does when it is commanded to: its disk finishes
 * writes, reads entries back, stores, merges, sends and receives snapshots. Each is told, and answered to the node.
 */
import { invariant } from "../core/invariant.ts";
import type { RaftInput } from "../core/raft/boundary.ts";
import type { Host } from "./raft-host.ts";
import * as notation from "./raft-notation.ts";

export class Driver {
  private readonly step: (host: Host, input: RaftInput) => void;
  private readonly tell: (line: string) => void;

  constructor(step: (host: Host, input: RaftInput) => void, tell: (line: string) => void) {
    this.step = step;
    this.tell = tell;
  }

  disk(host: Host): void {
    const { ticket } = host.persist();
    this.tell(`${host.id} Persisted #${ticket}`);
    this.step(host, { type: "Persisted", ticket });
  }

  fetch(host: Host): void {
    const read = host.reads.shift();
    invariant(read !== undefined, "a read that is answered was ordered");
    this.tell(`${host.id} EntriesRead [${read.entries.map(notation.showId).join(" ")}]`);
    this.step(host, { type: "EntriesRead", ...read });
  }

  snapshot(host: Host, size: number, checksum: number): void {
    const { raft } = host;
    invariant(raft !== null && host.wantsSnapshot, "a snapshot that is stored was ordered");
    host.wantsSnapshot = false;
    const point = raft.snapshotAt(raft.inspect().lastApplied);
    if (point === null) return;
    const snapshot = { ...point, size, checksum };
    host.store(snapshot);
    this.tell(`${host.id} SnapshotStored ${notation.showId(snapshot.entry)}`);
    this.step(host, { type: "SnapshotStored", snapshot });
  }

  /** The same state, written down in another way. */
  merge(host: Host, size: number, checksum: number): void {
    invariant(host.snapshot !== null, "what is merged is stored");
    host.store({ ...host.snapshot, size, checksum });
    this.step(host, { type: "SnapshotRewritten", snapshot: host.snapshot });
  }

  /** @param end where to go on, if that is farther than the chunk reaches; null: there was no room for it */
  chunk(host: Host, end: number | null): void {
    const chunk = host.chunks.shift();
    invariant(chunk !== undefined, "a chunk that is written was ordered");
    const { snapshot, offset, bytes } = chunk;
    const stored = end === null ? null : Math.max(end, offset + bytes.length);
    this.tell(`${host.id} ChunkStored ${stored ?? "full"}`);
    this.step(host, { type: "ChunkStored", snapshot, end: stored });
  }

  piece(host: Host, isGone: boolean): void {
    const piece = host.pieces.shift();
    invariant(piece !== undefined, "a piece that is read was ordered");
    const { to, snapshot, offset } = piece;
    const bytes = isGone ? null : host.pieceFor(piece);
    this.tell(`${host.id} SnapshotRead ${bytes?.length ?? "gone"}`);
    this.step(host, { type: "SnapshotRead", to, snapshot, offset, bytes });
  }

  restored(host: Host): void {
    const restore = host.restores.shift();
    invariant(restore !== undefined, "what is restored was handed out");
    this.tell(`${host.id} Restored`);
    this.step(host, { type: "Applied", index: restore.snapshot.entry.index });
  }
}
