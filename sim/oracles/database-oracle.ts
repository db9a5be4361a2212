/**
 * Replicas are byte-identical: at every applied index that two nodes were seen at, their rolling checksums agree; at
 * the end their images do, and SQLite finds nothing wrong with them.
 */
import type { LogIndex, NodeId } from "../../core/types.ts";
import type { DatabaseObservation, FinalNode, ImageReader, JudgeCounts, Violation } from "./boundary.ts";
import { violation } from "./violation.ts";

interface Seen {
  readonly checksum: number;
  readonly node: NodeId;
}

/** A state that was changed behind its node's back. */
interface Excuse {
  /** As of this index. */
  readonly since: LogIndex;
  /** It has been seen to be right from here on; null: it was seen to be wrong, or not at all. */
  rightSince: LogIndex | null;
  /** Its node may have told others, in this process life, the checksum of a wrong state. */
  mayBeKnown: boolean;
}

export class DatabaseOracle {
  private readonly counts: JudgeCounts;
  /** How many entries lie between two states that nodes tell each other of. */
  private readonly digestEvery: number;
  /** What was seen first, by applied index. */
  private readonly seen: Seen[] = [];
  /** As of its last step in this process life. */
  private readonly applied = new Map<NodeId, LogIndex>();

  /** Whose state was changed behind its back, and who has not found that yet. */
  private readonly excused = new Map<NodeId, Excuse>();

  constructor(counts: JudgeCounts, digestEvery: number) {
    this.counts = counts;
    this.digestEvery = digestEvery;
  }

  flipped(node: NodeId): void {
    const since = this.applied.get(node) ?? (0 as LogIndex);
    this.excused.set(node, { since, rightSince: null, mayBeKnown: false });
  }

  healed(node: NodeId): void {
    this.excused.delete(node);
  }

  isFlipped(node: NodeId): boolean {
    return this.excused.has(node);
  }

  started(node: NodeId): void {
    this.applied.delete(node);
    const excuse = this.excused.get(node);
    if (excuse !== undefined) excuse.mayBeKnown = false;
  }

  /** @param stored index of the stored snapshot */
  stepped(
    node: NodeId, database: DatabaseObservation, lastApplied: LogIndex, stored: LogIndex,
  ): Violation | null {
    const { appliedIndex, checksum } = database;
    const known = this.applied.get(node);
    const before = known ?? 0;
    if (appliedIndex < before) {
      const message = `the database of ${node} fell from ${before} to ${appliedIndex}`;
      return violation("monotonic", message, [node], appliedIndex);
    }
    if (appliedIndex > lastApplied) {
      const message = `the database of ${node} contains ${appliedIndex}, but only ${lastApplied} was handed to it`;
      return violation("order", message, [node], appliedIndex);
    }
    this.applied.set(node, appliedIndex);
    const seen = this.seen[appliedIndex];
    if (this.excused.size > 0 && this.excused.has(node)) {
      // A life begins with what is stored.
      this.judgeExcused(node, known ?? stored - 1, appliedIndex, seen?.checksum === checksum, stored);
      return null;
    }
    if (seen === undefined) this.seen[appliedIndex] = { checksum, node };
    else if (seen.checksum !== checksum) {
      const message = `${seen.node} had checksum ${seen.checksum} at index ${appliedIndex}, ${node} has ${checksum}`;
      return violation("checksum", message, [seen.node, node], appliedIndex);
    } else if (seen.node !== node && before !== appliedIndex) this.counts.comparisons++;
    return null;
  }

  /**
   * The page has been written since, or the process began anew from before: then its state is right again. But what it
   * has stored meanwhile may be wrong, until the next snapshot; and what it has told meanwhile, as long as it lives.
   */
  private judgeExcused(
    node: NodeId, before: number, appliedIndex: LogIndex, isRight: boolean, stored: LogIndex,
  ): void {
    const excuse = this.excused.get(node);
    if (excuse === undefined) return;
    const wasWrong = excuse.rightSince === null;
    if (appliedIndex < excuse.since || !isRight) excuse.rightSince = null;
    else excuse.rightSince ??= appliedIndex;
    const isSuspect = wasWrong || excuse.rightSince === null;
    if (isSuspect && this.isComparedIn(before, appliedIndex)) excuse.mayBeKnown = true;
    if (excuse.rightSince === null || stored < excuse.rightSince || excuse.mayBeKnown) return;
    this.excused.delete(node);
  }

  /** Whether nodes tell each other of a state after `from`, and up to `last`. */
  private isComparedIn(from: number, last: number): boolean {
    return Math.floor(last / this.digestEvery) > Math.floor(from / this.digestEvery);
  }

  finished(all: readonly FinalNode[], reader: ImageReader): Violation | null {
    // Who was changed and has come to no index since at which states are compared cannot have found that yet.
    const nodes = all.filter(({ node, appliedIndex }) => {
      const excuse = this.excused.get(node);
      return excuse === undefined || this.isComparedIn(excuse.since, appliedIndex);
    });
    const [first, ...others] = nodes;
    if (first === undefined) return violation("image", "no node was left at the end to be compared");
    for (const other of others) {
      if (other.appliedIndex !== first.appliedIndex || other.checksum !== first.checksum) {
        const message = `${first.node} ended at ${first.appliedIndex} with ${first.checksum}, `
          + `${other.node} at ${other.appliedIndex} with ${other.checksum}`;
        return violation("checksum", message, [first.node, other.node], other.appliedIndex);
      }
      const at = firstDifference(first.image, other.image);
      if (at !== null) {
        const message = `the images of ${first.node} and ${other.node} differ at byte ${at}`;
        return violation("image", message, [first.node, other.node], first.appliedIndex);
      }
    }
    if (others.length > 0 && this.counts.comparisons === 0) {
      return violation("checksum", "no two nodes were ever seen at one applied index: nothing was compared");
    }
    return this.judgeIntegrity(nodes, reader);
  }

  private judgeIntegrity(nodes: readonly FinalNode[], reader: ImageReader): Violation | null {
    for (const { node, image, appliedIndex } of nodes) {
      const opened = reader.open(image);
      const verdict = opened.integrityCheck();
      opened.close();
      if (verdict !== "ok") return violation("integrity", `the database of ${node}: ${verdict}`, [node], appliedIndex);
    }
    return null;
  }
}

/** null: the bytes are the same. */
function firstDifference(one: Uint8Array, other: Uint8Array): number | null {
  const end = Math.min(one.length, other.length);
  for (let at = 0; at < end; at++) if (one[at] !== other[at]) return at;
  return one.length === other.length ? null : end;
}
