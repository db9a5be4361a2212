/**
 * Notices rare events in what nodes show of themselves. It judges nothing: it tells which courses a run has reached.
 */
import type { NodeEffect, NodeInput } from "../core/node/boundary.ts";
import type { HaltReason } from "../core/replica/boundary.ts";
import { isNameless } from "../core/storage/disk-failure.ts";
import { MANIFEST_FILE } from "../core/storage/manifest.ts";
import { RESERVE_FILE } from "../core/storage/log-space.ts";
import { isSegmentFile } from "../core/storage/segment-file.ts";
import { TERM_FILE } from "../core/storage/term-file.ts";
import type { DiskOperation } from "../core/storage/disk.ts";
import type { Member } from "../core/raft/configuration.ts";
import { type EntryId, type LogIndex, type MemberId, type NodeId, sameEntry, type Term } from "../core/types.ts";
import { decodeLetter } from "../core/wire/peer-codec.ts";
import type { PeerMessage } from "../core/wire/peer.ts";
import { termAt } from "./membership.ts";
import type { RaftObservation } from "./oracles/boundary.ts";
import { BLOCK_SIZE } from "./power-loss.ts";
import type { NodeProcess } from "./process.ts";
import type { Tally } from "./tally.ts";

interface TermCourse {
  readonly candidates: Set<NodeId>;
  leader: NodeId | null;
}

interface Piece {
  readonly entry: EntryId;
  readonly end: number;
}

interface WrittenManifest {
  readonly index: number;
  readonly files: number;
}

/** Where a manifest (core/storage/manifest.ts) says of which entry it is, and of how many files. */
const INDEX_AT = 112;
const FILES_AT = 136;

export class MarkWatcher {
  /** Who listens to elections; null: nobody does. */
  onElection: ((leader: NodeId) => void) | null = null;
  /** Whether the operator waits for the outcome of a change: then it is not the leader's own. */
  isChangeOpen: () => boolean = () => false;
  /** Who listens to snapshots that are about to get their name; null: nobody does. */
  onSnapshotNamed: ((node: NodeProcess) => void) | null = null;
  /** Who listens to files of pages that are about to be written, or received; null: nobody does. */
  onPagesBegun: ((node: NodeProcess) => void) | null = null;
  private readonly tally: Tally;
  private readonly terms = new Map<Term, TermCourse>();
  private highestTerm = 0 as Term;
  /** As each running node showed itself last. */
  private readonly shown = new Map<NodeId, RaftObservation>();
  /** Every disk that has ever been of the cluster. */
  private readonly members = new Set<MemberId>();
  /** Of which snapshot each running node got a piece last, and where that ended. */
  private readonly pieces = new Map<NodeId, Piece>();
  /** What each running node wrote last of its stored snapshot. */
  private readonly manifests = new Map<NodeId, WrittenManifest>();
  /** The leader of the highest term that had one; null: none yet. */
  private leader: NodeId | null = null;
  private leaderCrashed = false;
  private latestConfiguration = 0 as LogIndex;

  constructor(tally: Tally) {
    this.tally = tally;
  }

  stepped(
    node: NodeProcess, input: NodeInput, raft: RaftObservation | null, effects: readonly NodeEffect[],
  ): void {
    for (const effect of effects) this.noteEffect(node, effect);
    if (input.type === "ClockStopped") this.tally.mark("clockStopsNoticed");
    if (raft === null) return;
    const before = this.shown.get(node.id);
    this.shown.set(node.id, raft);
    if (input.type === "PeerReceived") this.noteMessage(node.id, input.from, input.bytes, before);
    this.noteRole(node.id, before, raft);
    if (!this.members.has(raft.id)) {
      this.members.add(raft.id);
      if (!node.isFounder || node.isReplaced) this.tally.mark("nodesAdmitted");
    }
    if (before === undefined) return;
    this.noteLog(before, raft);
    this.noteConfiguration(before, raft);
  }

  crashed(node: NodeId): void {
    this.shown.delete(node);
    this.pieces.delete(node);
    this.manifests.delete(node);
    if (this.leader === node) this.leaderCrashed = true;
  }

  private noteEffect(node: NodeProcess, effect: NodeEffect): void {
    if (effect.type === "Recovered") return this.noteRecovered(effect);
    if (effect.type === "DamageFound") this.tally.mark("damageFound");
    if (effect.type === "SpaceChanged") this.tally.mark(effect.hasSpace ? "spaceReturned" : "diskFull");
    if (effect.type === "Reject" && effect.reason === "notAdmitted") this.tally.mark("strangersRefused");
    if (effect.type !== "Disk" || !node.recovered) return;
    this.noteOperation(node, effect.operation);
  }

  private noteRecovered({ tornBytes, lost, damage }: NodeEffect & { type: "Recovered" }): void {
    if (tornBytes > 0) this.tally.mark("tornRecordsCut");
    if (lost !== null) this.tally.mark("losses");
    for (const fault of damage) {
      this.tally.mark("damageInRecovery");
      if (fault.type !== "corrupt") continue;
      if (fault.file === TERM_FILE) this.tally.mark("hardStatesMended");
      if (fault.file === MANIFEST_FILE) this.tally.mark("manifestsMended");
    }
  }

  /** Of a node that is a member, and has recovered. */
  private noteOperation(node: NodeProcess, operation: DiskOperation): void {
    switch (operation.type) {
      case "rename":
        if (operation.to === MANIFEST_FILE) this.onSnapshotNamed?.(node);
        if (isSegmentFile(operation.from) && isSegmentFile(operation.to)) this.tally.mark("segmentsRecycled");
        return;
      case "open":
        if (operation.create && isUnfinishedPages(operation.file)) this.onPagesBegun?.(node);
        return;
      case "write":
        if (operation.offset > 0) return;
        if (isSegmentFile(operation.file)) this.tally.mark("segmentsRolled");
        if (operation.file.startsWith(MANIFEST_FILE)) this.noteManifest(node.id, operation.bytes);
        return;
      case "read":
        // Scrubbing reads whole blocks; a record begins anywhere.
        if (isSegmentFile(operation.file) && operation.offset % BLOCK_SIZE > 0) this.tally.mark("entriesReadBack");
        return;
      case "unlink":
        if (operation.file === RESERVE_FILE) this.tally.mark("reservesGivenUp");
        return;
      default:
        return;
    }
  }

  private noteManifest(node: NodeId, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const written = { index: Number(view.getBigUint64(INDEX_AT, true)), files: view.getUint32(FILES_AT, true) };
    const before = this.manifests.get(node);
    this.manifests.set(node, written);
    const applied = this.shown.get(node)?.lastApplied ?? 0;
    if (written.index === before?.index && written.files < before.files) this.tally.mark("merges");
    else if (written.index <= applied) this.tally.mark("checkpoints");
  }

  /** A process has stopped by itself, as it had to. */
  halted(reason: HaltReason): void {
    if (reason.type === "quarantined") this.tally.mark("quarantines");
    else if (reason.type === "disk") this.tally.mark("disksFailed");
    else this.tally.mark("logsReadInVain");
  }

  private noteMessage(node: NodeId, from: NodeId, bytes: Uint8Array, before: RaftObservation | undefined): void {
    const decoded = decodeLetter(bytes);
    if (!decoded.ok || before === undefined) return;
    const { message } = decoded.letter;
    if (message.type === "RequestPreVoteReply" && !message.granted) this.tally.mark("preVotesRefused");
    if (message.type === "ReadIndex" && before.role === "leader") this.tally.mark("readsForwarded");
    if (message.type === "Leaving" && before.role === "leader") this.tally.mark("rolesLeft");
    if (message.type === "InstallSnapshot") this.notePiece(node, message, before);
    if (message.type === "InstallSnapshotReply") this.noteProgress(from, message);
  }

  private notePiece(
    node: NodeId, { snapshot: { entry }, offset, bytes }: PeerMessage & { type: "InstallSnapshot" },
    before: RaftObservation,
  ): void {
    if (entry.index <= before.commitIndex) return this.tally.mark("snapshotsStale");
    if (offset > 0) this.tally.mark("snapshotsInPieces");
    const piece = this.pieces.get(node);
    // Asked anew how much it has, by a leader that waits in vain or by the next one.
    if (bytes.length === 0 && piece !== undefined && sameEntry(piece.entry, entry)) this.tally.mark("snapshotsResumed");
    if (bytes.length > 0) this.pieces.set(node, { entry, end: offset + bytes.length });
  }

  /** The receiver is farther than it was sent: what follows it has already. */
  private noteProgress(from: NodeId, { entry, received }: PeerMessage & { type: "InstallSnapshotReply" }): void {
    const piece = this.pieces.get(from);
    if (piece !== undefined && sameEntry(piece.entry, entry) && received > piece.end) this.tally.mark("filesSkipped");
  }

  private noteRole(node: NodeId, before: RaftObservation | undefined, raft: RaftObservation): void {
    if (before?.role === "leader" && raft.role !== "leader") {
      this.tally.mark(before.currentTerm === raft.currentTerm ? "leadersResigned" : "leadersDeposed");
    }
    if (raft.role === "follower" || raft.role === "preCandidate") return;
    const course = this.courseOf(raft.currentTerm);
    if (raft.role === "candidate") {
      course.candidates.add(node);
    } else if (course.leader === null) {
      course.leader = node;
      this.tally.mark("elections");
      if (this.leaderCrashed) this.tally.mark("reelectionsAfterCrash");
      this.leaderCrashed = false;
      this.leader = node;
      this.onElection?.(node);
    }
  }

  private courseOf(term: Term): TermCourse {
    let course = this.terms.get(term);
    if (course !== undefined) return course;
    course = { candidates: new Set(), leader: null };
    this.terms.set(term, course);
    if (term > this.highestTerm) {
      const previous = this.terms.get(this.highestTerm);
      const isSplit = previous !== undefined && previous.leader === null && previous.candidates.size > 1;
      if (isSplit) this.tally.mark("votesSplit");
      this.highestTerm = term;
    }
    return course;
  }

  private noteLog(before: RaftObservation, after: RaftObservation): void {
    const { last, base, snapshot } = after;
    if (before.lost !== null && after.lost === null) this.tally.mark("lossesHealed");
    if (base.index > before.base.index) this.tally.mark("logsCompacted");
    if (snapshot.index > before.snapshot.index) {
      const isOwn = snapshot.index <= before.lastApplied;
      this.tally.mark(isOwn ? "snapshotsTaken" : "snapshotsInstalled");
    }
    if (sameEntry(before.last, last) || before.last.index === 0) return;
    const isGone = before.last.index > last.index
      || (before.last.index > base.index && termAt(after, before.last.index) !== before.last.term);
    if (isGone) this.tally.mark("entriesTruncated");
  }

  private noteConfiguration(before: RaftObservation, after: RaftObservation): void {
    const { configuration, configurationIndex } = after;
    if (before.configuration === configuration) return;
    if (configurationIndex < before.configurationIndex) this.tally.mark("configurationsRolledBack");
    // Each change is counted once, where it comes about.
    if (after.role !== "leader" || configurationIndex <= this.latestConfiguration) return;
    this.latestConfiguration = configurationIndex;
    const [was, is] = [before.configuration.outgoing.length > 0, configuration.outgoing.length > 0];
    if (!was && is) this.tally.mark("jointEntered");
    if (was && !is) this.tally.mark("jointLeft");
    if (configuration.version > before.configuration.version) this.tally.mark("versionsRaised");
    if (!was && !this.isChangeOpen() && rolesDiffer(before.configuration.members, configuration.members)) {
      this.tally.mark("rolesAdjusted");
    }
  }
}

function rolesDiffer(before: readonly Member[], after: readonly Member[]): boolean {
  const roles = new Map<MemberId, Member["role"]>(before.map(({ id, role }) => [id, role]));
  return after.some(({ id, role }) => roles.has(id) && roles.get(id) !== role);
}

/** Written by a checkpoint or a merge, or coming in from another member. */
function isUnfinishedPages(file: string): boolean {
  return file.startsWith("pages-") && isNameless(file);
}
