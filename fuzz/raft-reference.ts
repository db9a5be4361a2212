/**
 * Raft's safety as something to be read aloud and run: what a server may do, as guarded actions over a plain value,
 * after figure 2 of the paper, §5 to §7, chapter 4 of the thesis, and raft.tla. Not an implementation (nothing here
 * decides to do anything, nothing is fast) but a judge: the core does something, raft-witness.ts says which of these
 * actions that was, and an action whose guard does not hold is a bug of the core.
 *
 * The one hard idea: each server is there twice. `memory` is what it has decided; `disk` is what would survive a crash
 * now. Promises (votes, acknowledgements, commitment) are judged by disks.
 *
 * Logs are whole: what has been compacted away stays here as a ghost, below `base`. A snapshot stands for the entries
 * that it was made of, so that to install one is to copy them. What a disk has lost stays, too: it still counts as
 * promised, until the server has it again.
 */
import type { Configuration } from "../core/raft/configuration.ts";
import type { AppendEntries, InstallSnapshot, Message, RequestVote, SnapshotPoint } from "../core/raft/message.ts";
import type { Entry, EntryId, MemberId } from "../core/types.ts";
import {
  allow, configurationIn, EMPTY_DISK, holds, isAtLeastAsUpToDate, isPrefix, isQuorum, isVoter, lastOf, same, votersOf,
  type Server, type Stable,
} from "./raft-plain-log.ts";
import { judgeMessage } from "./raft-vouching.ts";

export class Reference {
  readonly founding: Configuration;
  readonly servers: Map<MemberId, Server>;
  /** Every vote that ever was on a disk, by "voter term". */
  readonly votes: Map<string, MemberId>;
  /** Who led each term. */
  readonly leaders: Map<number, MemberId>;
  /**
   * In which term a leader has taken back what a server acknowledged before it lost it, and all that it was told of.
   */
  readonly takenBack: Map<MemberId, number>;
  readonly told: Set<string>;
  /** Which snapshots were sent, as "receiver term/index". */
  readonly offers: Set<string>;
  /** What has ever been committed, from index 1 on. */
  committed: readonly Entry[];
  /** Every message that was ever sent, by the object that it is, as "sender→receiver". */
  private readonly sent: WeakMap<Message, readonly string[]>;

  /** @param before the value to begin with, copied; null: no server is there yet. */
  constructor(founding: Configuration, before: Reference | null = null) {
    this.founding = founding;
    this.servers = new Map(before?.servers);
    this.votes = new Map(before?.votes);
    this.leaders = new Map(before?.leaders);
    this.takenBack = new Map(before?.takenBack);
    this.told = new Set(before?.told);
    this.offers = new Set(before?.offers);
    this.committed = before?.committed ?? [];
    // It only grows, and nothing in it is undone: copies may share it.
    this.sent = before?.sent ?? new WeakMap();
  }

  // Disks and crashes

  /** A server comes (back) to life with nothing but its disk. What its snapshot stands for is committed. */
  restart(id: MemberId, disk: Stable): void {
    const known = this.servers.get(id);
    if (known === undefined) allow(disk === EMPTY_DISK, "a server begins with an empty disk");
    if (known !== undefined) allow(known.disk === disk, "a server comes back with what its disk held");
    this.servers.set(id, { disk, memory: disk, role: "follower", commitIndex: disk.snapshot });
  }

  /** A server's disk holds something else now. */
  becameDurable(id: MemberId, disk: Stable): void {
    const before = this.server(id).disk;
    allow(disk.currentTerm >= before.currentTerm, "the term on a disk never falls");
    allow(disk.base <= disk.snapshot, "entries leave a disk only if the snapshot on it stands for them");
    if (disk.votedFor !== null) {
      const vote = `${id} ${disk.currentTerm}`;
      const known = this.votes.get(vote) ?? disk.votedFor;
      allow(known === disk.votedFor, "a disk gives one vote a term (§5.2)");
      this.votes.set(vote, disk.votedFor);
    }
    this.change(id, { disk });
  }

  // Losses (rule 13): what was promised of an entry that is gone is kept without it

  /** A crashed server's disk cannot be read any more as far as it could. */
  lose(id: MemberId, disk: Stable): void {
    const { lost } = disk;
    allow(lost !== null && isAtLeastAsUpToDate(lost.entry, lastOf(lost.log)), "a disk says how much it may have lost");
    this.takenBack.delete(id);
    this.change(id, { disk, memory: { ...this.server(id).memory, lost } });
  }

  /** A leader hears that a server has lost what it acknowledged: in this term that counts no more. */
  takeBack(id: MemberId, from: MemberId, request: number): void {
    const told = `${from} ${request}`;
    if (!this.told.has(told)) this.takenBack.set(from, this.server(id).memory.currentTerm);
    this.told.add(told);
  }

  /** A leader has taken back what the server acknowledged: beyond this entry it has been counted for nothing. */
  boundLoss(id: MemberId, entry: EntryId): void {
    const { memory } = this.server(id);
    const { lost } = memory;
    allow(lost !== null && isAtLeastAsUpToDate(lost.entry, entry), "what is lost never becomes more");
    if (lost !== null) this.change(id, { memory: { ...memory, lost: { entry, log: lost.log.slice(0, entry.index) } } });
  }

  /** Whatever was committed with its word is on its disk again. */
  forgetLoss(id: MemberId): void {
    const { memory, disk } = this.server(id);
    const lost = memory.lost?.log ?? [];
    const owed = this.committed.filter((entry) => holds(lost, entry));
    const isThere = owed.every((entry) => holds(disk.log, entry));
    allow(memory.lost !== null && isThere, "a loss is forgotten when it is made good");
    this.change(id, { memory: { ...memory, lost: null } });
  }

  // Terms and elections (§5.1, §5.2, §5.4.1)

  /** Figure 2, all servers: a later term in a message makes a follower of anybody. */
  updateTerm(id: MemberId, message: Message): void {
    const { memory } = this.server(id);
    allow(message.term > memory.currentTerm, "the term never falls");
    this.change(id, { memory: { ...memory, currentTerm: message.term, votedFor: null }, role: "follower" });
  }

  /** It stands for election: always in a new term. */
  timeout(id: MemberId): void {
    const { memory, role } = this.server(id);
    allow(role !== "leader", "a leader does not stand against itself");
    allow(memory.lost === null, "who has lost entries does not stand");
    allow(this.mayLead(id), "only a voter of a configuration that may yet be in force stands (thesis §4.2.2)");
    const currentTerm = memory.currentTerm + 1;
    this.change(id, { memory: { ...memory, currentTerm, votedFor: id }, role: "candidate" });
  }

  grantVote(id: MemberId, candidate: MemberId, request: RequestVote): void {
    const { memory } = this.server(id);
    allow(request.term === memory.currentTerm, "a vote is given in the candidate's term");
    allow(memory.votedFor === null || memory.votedFor === candidate, "one vote a term (§5.2)");
    const isUpToDate = isAtLeastAsUpToDate(request.lastLog, lastOf(memory.log));
    allow(isUpToDate, "a vote is given only to a log that is at least as up to date (§5.4.1)");
    const hasLost = memory.lost === null || isAtLeastAsUpToDate(request.lastLog, memory.lost.entry);
    allow(hasLost, "a vote is given only to a log that has what the voter has lost");
    this.change(id, { memory: { ...memory, votedFor: candidate } });
  }

  becomeLeader(id: MemberId): void {
    const { memory, disk, role } = this.server(id);
    const { currentTerm, log } = memory;
    allow(role === "candidate", "only a candidate becomes leader");
    allow(disk.currentTerm === currentTerm && disk.votedFor === id, "a leader's own vote is on its disk");
    const configuration = this.configurationOf(log);
    allow(this.mayLead(id), "only a voter leads");
    const votesFor = (voter: MemberId): boolean => this.votes.get(`${voter} ${currentTerm}`) === id;
    allow(isQuorum(configuration, votesFor), "a leader has durable votes of a quorum of the configuration in its log");
    allow((this.leaders.get(currentTerm) ?? id) === id, "election safety: at most one leader a term (figure 3)");
    allow(isPrefix(this.committed, log), "leader completeness: a leader's log has all that is committed (figure 3)");
    this.leaders.set(currentTerm, id);
    this.change(id, { role: "leader" });
  }

  /** A leader or candidate gives up within its term. */
  stepDown(id: MemberId): void {
    this.change(id, { role: "follower" });
  }

  // The log (§5.3)

  appendAsLeader(id: MemberId, entry: Entry): void {
    const { memory, role } = this.server(id);
    allow(role === "leader", "only a leader appends of its own accord");
    allow(entry.term === memory.currentTerm, "a leader appends entries of its own term");
    allow(entry.index === memory.log.length + 1, "leader append-only: at the end (figure 3)");
    if (entry.kind === "configuration") this.allowConfiguration(id, configurationIn(entry));
    this.change(id, { memory: { ...memory, log: [...memory.log, entry] } });
    this.allowLogMatching(id);
  }

  /** Thesis chapter 4: one at a time, each guarded by a committed entry of the term, joint while voters change. */
  private allowConfiguration(id: MemberId, next: Configuration): void {
    const { memory, commitIndex } = this.server(id);
    const current = this.configurationOf(memory.log);
    const isCommitted = !memory.log.slice(commitIndex).some(({ kind }) => kind === "configuration");
    allow(isCommitted, "a configuration is appended only when the one before is committed");
    const isReady = memory.log[commitIndex - 1]?.term === memory.currentTerm;
    // A joint configuration can be left only in one way, so that two leaders cannot disagree.
    const isNew = current.outgoing.length === 0;
    allow(isReady || !isNew, "a change begins only when an entry of the leader's term is committed");
    allow(next.version >= current.version, "the feature version never falls");
    allow(votersOf(next).length > 0, "a configuration has a voter");
    if (!isNew) {
      const isLeft = next.outgoing.length === 0 && same(votersOf(next), votersOf(current));
      allow(isLeft, "a joint configuration is left for its incoming voters");
    } else if (same(votersOf(next), votersOf(current))) {
      allow(next.outgoing.length === 0, "where the voters stay there is nothing to leave");
    } else {
      const outgoing = next.outgoing.map((member) => member.id);
      allow(same(outgoing, votersOf(current)), "voters change through the joint configuration of both (§6)");
    }
  }

  /** Figure 2, AppendEntries, receiver's rule 3: a conflicting entry and all that follow it go. */
  truncate(id: MemberId, keep: number, request: AppendEntries): void {
    const { memory, role, commitIndex } = this.server(id);
    allow(role !== "leader", "leader append-only: it never cuts its log (figure 3)");
    this.allowCurrent(id, request);
    const conflict = request.entries.find(({ index }) => index === keep + 1);
    const own = memory.log[keep];
    allow(own !== undefined && conflict !== undefined, "only what the request replaces is cut");
    allow(own?.term !== conflict?.term, "only conflicting entries are cut");
    allow(keep >= commitIndex, "nothing is cut that the server knows to be committed");
    const isSafe = memory.log.slice(keep).every(({ index, term }) => this.committed[index - 1]?.term !== term);
    allow(isSafe, "nothing is cut that is committed");
    this.change(id, { memory: { ...memory, log: memory.log.slice(0, keep) } });
  }

  /** Figure 2, AppendEntries, receiver's rules 2 and 4. */
  copy(id: MemberId, entry: Entry, request: AppendEntries): void {
    const { memory, role } = this.server(id);
    allow(role !== "leader", "a leader copies from nobody");
    this.allowCurrent(id, request);
    allow(holds(memory.log, request.prevLog), "entries are copied only if the log holds the one before them");
    allow(request.entries.includes(entry), "an entry is copied from what was sent");
    allow(entry.index === memory.log.length + 1, "an entry is copied to the end of the log");
    const common = request.entries.filter(({ index }) => index < entry.index);
    allow(common.every((each) => holds(memory.log, each)), "entries are copied only behind their predecessors");
    this.change(id, { memory: { ...memory, log: [...memory.log, entry] } });
    this.allowLogMatching(id);
  }

  private allowLogMatching(id: MemberId): void {
    const { log } = this.server(id).memory;
    for (const { memory: { log: other } } of this.servers.values()) {
      let common = Math.min(log.length, other.length);
      while (common > 0 && log[common - 1]?.term !== other[common - 1]?.term) common -= 1;
      allow(isPrefix(log.slice(0, common), other), "log matching (figure 3)");
    }
  }

  // Commitment (§5.3, §5.4.2)

  /** How far the leader may take the log for committed. */
  committable(id: MemberId): number {
    const { memory: { log, currentTerm }, commitIndex } = this.server(id);
    const configuration = this.configurationOf(log);
    for (let index = log.length; index > commitIndex; index--) {
      const entry = log[index - 1] as Entry;
      // An entry of an older term is committed only by what follows it (figure 8).
      if (entry.term !== currentTerm) break;
      if (isQuorum(configuration, (voter) => this.vouches(voter, entry, currentTerm))) return index;
    }
    return commitIndex;
  }

  /** Whether it holds the entry; or has lost it, so that nobody is elected without it, and this term counts that. */
  private vouches(voter: MemberId, entry: EntryId, term: number): boolean {
    const server = this.servers.get(voter);
    if (server === undefined) return false;
    const counts = this.takenBack.get(voter) !== term;
    return holds(server.disk.log, entry) || (counts && holds(server.memory.lost?.log ?? [], entry));
  }

  advanceCommitIndex(id: MemberId, index: number): void {
    const { memory, role } = this.server(id);
    allow(role === "leader", "only a leader counts");
    allow(memory.log[index - 1]?.term === memory.currentTerm, "a leader counts only for entries of its term (§5.4.2)");
    allow(index <= this.committable(id), "what is committed is on the disks of a quorum of the configuration in force");
    this.allowCommitted(id, index);
  }

  /** Figure 2, AppendEntries, receiver's rule 5. */
  learnCommitIndex(id: MemberId, index: number, request: AppendEntries | InstallSnapshot): void {
    const { memory, role } = this.server(id);
    allow(role !== "leader", "a leader is told nothing");
    this.allowCurrent(id, request);
    if (request.type === "InstallSnapshot") {
      allow(index <= request.snapshot.entry.index, "a snapshot tells that what it stands for is committed");
      allow(holds(memory.log, request.snapshot.entry), "a log is committed up to a snapshot only if it agrees with it");
    } else {
      const last: EntryId = request.entries[request.entries.length - 1] ?? request.prevLog;
      allow(index <= request.leaderCommit, "a follower commits no more than its leader");
      allow(index <= last.index, "a follower commits no more than was found to agree with its leader's log");
      allow(holds(memory.log, last), "a follower commits what agrees with its leader's log");
    }
    this.allowCommitted(id, index);
  }

  private allowCommitted(id: MemberId, index: number): void {
    const { memory, commitIndex } = this.server(id);
    allow(index > commitIndex, "the commit index never falls");
    allow(index <= memory.log.length, "only entries of the log are committed");
    const known = memory.log.slice(0, index);
    const shorter = known.length < this.committed.length ? known : this.committed;
    const isSame = isPrefix(shorter, known) && isPrefix(shorter, this.committed);
    allow(isSame, "state machine safety: a committed entry never changes (figure 3)");
    if (known.length > this.committed.length) this.committed = known;
    this.change(id, { commitIndex: index });
  }

  // Snapshots (§7)

  /** A snapshot of the server's own state is on its disk. */
  storeSnapshot(id: MemberId, snapshot: SnapshotPoint): void {
    const { memory, commitIndex } = this.server(id);
    allow(snapshot.entry.index <= commitIndex, "a snapshot is made of committed entries");
    this.allowSnapshot(snapshot);
    allow(snapshot.entry.index >= memory.snapshot, "a snapshot gives way only to one that is as new");
    this.change(id, { memory: { ...memory, snapshot: snapshot.entry.index } });
  }

  compact(id: MemberId, through: EntryId): void {
    const { memory, commitIndex } = this.server(id);
    allow(holds(memory.log, through), "entries of the log are compacted");
    allow(through.index >= memory.base, "what has been compacted does not come back");
    allow(through.index <= commitIndex, "only committed entries are compacted");
    allow(through.index <= memory.snapshot, "only entries that the stored snapshot stands for are compacted");
    this.change(id, { memory: { ...memory, base: through.index } });
  }

  /** What the snapshot stands for takes the place of the log, unless that holds its last entry: then the rest stays. */
  installSnapshot(id: MemberId, snapshot: SnapshotPoint): void {
    const { memory, role, commitIndex } = this.server(id);
    const { entry } = snapshot;
    allow(role !== "leader", "a leader installs nothing");
    allow(this.offers.has(`${id} ${entry.term}/${entry.index}`), "only a snapshot that was sent is installed");
    allow(entry.index > commitIndex, "a snapshot never takes a state back");
    this.allowSnapshot(snapshot);
    const log = holds(memory.log, entry) ? memory.log : this.committed.slice(0, entry.index);
    this.change(id, { memory: { ...memory, log, snapshot: entry.index, base: entry.index } });
    this.allowCommitted(id, entry.index);
  }

  private allowSnapshot({ entry, configuration }: SnapshotPoint): void {
    allow(holds(this.committed, entry), "a snapshot stands for committed entries");
    const expected = this.configurationOf(this.committed.slice(0, entry.index));
    allow(same(configuration, expected), "a snapshot carries the configuration as of its last entry");
  }

  // Messages

  receive(id: MemberId, from: MemberId, message: Message): void {
    allow(this.sent.get(message)?.includes(`${from}→${id}`) === true, "what arrives was sent");
  }

  send(id: MemberId, to: MemberId, message: Message): void {
    const leader = this.servers.get(this.leaders.get(message.term) ?? to) ?? null;
    judgeMessage(id, this.server(id), to, message, leader);
    if (message.type === "InstallSnapshot") {
      const { term, index } = message.snapshot.entry;
      this.allowSnapshot(message.snapshot);
      this.offers.add(`${to} ${term}/${index}`);
    }
    this.sent.set(message, [...(this.sent.get(message) ?? []), `${id}→${to}`]);
  }

  // Reads (§8, thesis §6.4)

  /** A read is asked for, anywhere: it has to see everything that is committed by now. */
  askRead(): number {
    return this.committed.length;
  }

  answerRead(asked: number, index: number): void {
    allow(index >= asked, "a read sees what was committed when it was asked for");
    allow(index <= this.committed.length, "a read sees only what is committed");
  }

  // What the guards ask

  server(id: MemberId): Server {
    const server = this.servers.get(id);
    if (server === undefined) throw new Error(`${id} is a server`);
    return server;
  }

  /** In force is the last one in the log, committed or not (thesis §4.1). */
  configurationOf(log: readonly Entry[]): Configuration {
    for (let at = log.length - 1; at >= 0; at--) {
      const entry = log[at] as Entry;
      if (entry.kind === "configuration") return configurationIn(entry);
    }
    return this.founding;
  }

  /** Whoever is left out by an entry that is not committed may be needed to commit it. */
  private mayLead(id: MemberId): boolean {
    const { memory: { log }, commitIndex } = this.server(id);
    const ends = [commitIndex, ...log.filter(({ kind, index }) => kind === "configuration" && index > commitIndex)
      .map(({ index }) => index)];
    return ends.some((end) => isVoter(this.configurationOf(log.slice(0, end)), id));
  }

  private allowCurrent(id: MemberId, request: Message): void {
    allow(request.term === this.server(id).memory.currentTerm, "only the leader of the current term is heeded");
  }

  private change(id: MemberId, changed: Partial<Server>): void {
    this.servers.set(id, { ...this.server(id), ...changed });
  }
}
