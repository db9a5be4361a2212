/**
 * Says what a step of the core was: which actions of the reference (raft-reference.ts) it took, read off its inputs,
 * its effects and what can be seen of it afterwards. The reference refuses what Raft does not allow; and in the end the
 * core has to look as the reference says it does.
 *
 * A step takes one piece of news, or several at once (Raft.stepAll), and may be many actions. What a receiver does with
 * entries is no matter of choice, so it is done here as figure 2 has it. What is a matter of choice (whether to vote,
 * to stand, to append) is read off: the entries of the Persist, the term and vote in which the step ended.
 */
import type { RaftEffect, RaftInput } from "../core/raft/boundary.ts";
import type { RaftState } from "../core/raft/invariants.ts";
import type { AppendEntries, InstallSnapshot, Message } from "../core/raft/message.ts";
import type { EntryId, MemberId } from "../core/types.ts";
import { frozen, numberOfFrozen } from "./raft-clone.ts";
import { holds, lastOf, same } from "./raft-plain-log.ts";
import { Reference } from "./raft-reference.ts";

type Persist = RaftEffect & { readonly type: "Persist" };
type Send = RaftEffect & { readonly type: "Send" };

/** The reference after the step: the same one, or a copy that went on. */
export function witnessStep(
  reference: Reference, id: MemberId, inputs: readonly RaftInput[], effects: readonly RaftEffect[], after: RaftState,
): Reference {
  const judge = (next: Reference, standsAt: number): Reference => {
    new Witness(next, id, effects, after).tell(inputs, standsAt);
    expectAgreement(next, id, after);
    return next;
  };
  if (inputs.length === 1) return judge(reference, 1);
  // One of them may have made a candidate, which ignores the rest: which one is a guess. The judgement is against the
  // core if no guess explains what it did.
  let refusal: unknown = null;
  for (const standsAt of [inputs.length, ...inputs.keys()]) {
    try {
      return judge(new Reference(reference.founding, reference), standsAt);
    } catch (cause) {
      refusal ??= cause;
    }
  }
  throw refusal;
}

class Witness {
  private readonly reference: Reference;
  private readonly id: MemberId;
  private readonly effects: readonly RaftEffect[];
  private readonly after: RaftState;
  private readonly persist: Persist | null;
  private hasChunks = false;
  /** Not told yet. */
  private sends: readonly Send[];

  constructor(reference: Reference, id: MemberId, effects: readonly RaftEffect[], after: RaftState) {
    this.reference = reference;
    this.id = id;
    this.effects = effects;
    this.after = after;
    const persists = effects.filter((effect) => effect.type === "Persist");
    expectThat(persists.length === 0 || effects.lastIndexOf(persists[0] as Persist) === 0, "one Persist, and first");
    this.persist = persists[0] ?? null;
    this.sends = effects.filter((effect) => effect.type === "Send");
  }

  /** @param standsAt the input that makes it a candidate; beyond the last: it stands in the end, if at all */
  tell(inputs: readonly RaftInput[], standsAt: number): void {
    const { reference, id, after } = this;
    this.hasChunks = inputs.some(({ type }) => type === "ChunkStored");
    for (const [at, input] of inputs.entries()) {
      this.tellInput(input);
      if (at === standsAt) this.begin(() => reference.timeout(id));
    }
    if (after.currentTerm > this.server.memory.currentTerm) this.begin(() => reference.timeout(id));
    if (after.role === "leader" && this.server.role !== "leader") reference.becomeLeader(id);
    this.tellLeader(true);
    for (const effect of this.effects) if (effect.type === "Compact") reference.compact(id, effect.through);
    this.tellMessages(this.sends);
    this.tellLoss(inputs);
    // A leader that was removed tells the others first.
    const isNamed = after.role === "leader" || after.role === "candidate";
    if (!isNamed && this.server.role !== "follower") reference.stepDown(id);
  }

  private tellLoss(inputs: readonly RaftInput[]): void {
    const { reference, id, after: { lost } } = this;
    const before = this.server.memory.lost?.entry ?? null;
    if (same(before, lost)) return;
    if (lost !== null) reference.boundLoss(id, lost);
    // Both in one step: how much it was is what the leader has answered.
    for (const input of lost === null ? inputs : []) {
      if (input.type !== "MessageReceived" || input.message.type !== "ReadIndexReply") continue;
      const { term, index } = input.message;
      const isEndless = before?.index === Number.MAX_SAFE_INTEGER && before.term === term;
      if (index !== null && isEndless) {
        reference.boundLoss(id, { term, index });
      }
    }
    const isTold = this.effects.some(({ type }) => type === "ForgetLoss");
    expectThat(isTold === (lost === null), "that a loss is made good is said once");
    if (isTold) reference.forgetLoss(id);
  }

  private get server() {
    return this.reference.server(this.id);
  }

  private tellInput(input: RaftInput): void {
    const { reference, id } = this;
    switch (input.type) {
      case "MessageReceived":
        reference.receive(id, input.from, input.message);
        return this.tellReceived(input.from, input.message);
      case "SnapshotStored":
      case "SnapshotRewritten":
        if (input.snapshot.entry.index >= this.server.memory.snapshot) reference.storeSnapshot(id, input.snapshot);
        return;
      case "ChunkStored":
        return this.install(input.snapshot.entry);
      default:
    }
  }

  private tellReceived(from: MemberId, message: Message): void {
    const { reference, id, after } = this;
    const { currentTerm } = this.server.memory;
    // It need not be heeded: whoever hears a leader does not listen to candidates.
    if (message.term > currentTerm && message.term <= after.currentTerm) {
      this.begin(() => reference.updateTerm(id, message));
    }
    const { memory, role } = this.server;
    if (message.term !== memory.currentTerm) return;
    const isKnown = after.followers.some((follower) => follower.id === from);
    if (message.type === "ReadIndex" && message.hasLost && role === "leader" && isKnown) {
      reference.takeBack(id, from, message.request);
    }
    if (role === "leader") return;
    const isOfLeader = message.type === "AppendEntries" || message.type === "InstallSnapshot";
    if (isOfLeader && role === "candidate") reference.stepDown(id);
    switch (message.type) {
      case "RequestVote": {
        const isGiven = after.currentTerm === memory.currentTerm && after.votedFor === from;
        if (isGiven && memory.votedFor !== from) reference.grantVote(id, from, message);
        return;
      }
      case "AppendEntries":
        if (holds(memory.log, message.prevLog)) this.follow(message);
        return;
      case "InstallSnapshot": {
        const { entry } = message.snapshot;
        if (holds(memory.log, entry)) return this.learn(entry.index, message);
        // All of it may be here since before we knew whom to follow.
        if (!this.hasChunks) this.install(entry);
        return;
      }
      default:
    }
  }

  /** Figure 2, AppendEntries, receiver's rules 3 to 5. */
  private follow(request: AppendEntries): void {
    const { reference, id } = this;
    for (const entry of request.entries) {
      if (holds(this.server.memory.log, entry)) continue;
      if (entry.index <= this.server.memory.log.length) reference.truncate(id, entry.index - 1, request);
      reference.copy(id, entry, request);
    }
    this.learn(Math.min(request.leaderCommit, request.prevLog.index + request.entries.length), request);
  }

  private install(entry: EntryId): void {
    const snapshot = this.persist?.snapshot ?? null;
    if (snapshot !== null && same(snapshot.entry, entry) && !holds(this.server.memory.log, entry)) {
      this.reference.installSnapshot(this.id, snapshot);
    }
  }

  private learn(index: number, request: AppendEntries | InstallSnapshot): void {
    if (index > this.server.commitIndex) this.reference.learnCommitIndex(this.id, index, request);
  }

  /** Another term: what was said and appended in the one before was so before it ended. */
  private begin(term: () => void): void {
    const { currentTerm } = this.server.memory;
    // It counts at the end of a step: what was committed by then it has not counted, but was told.
    this.tellLeader(false);
    this.tellMessages(this.sends.filter(({ message }) => message.term === currentTerm));
    term();
  }

  /** What was committed, and what was appended, in the order that the paper has: the one may allow the other. */
  private tellLeader(counts: boolean): void {
    const { reference, id, after } = this;
    if (this.server.role !== "leader") return;
    for (const entry of this.persist?.entries ?? []) {
      if (entry.term !== this.server.memory.currentTerm || entry.index <= this.server.memory.log.length) continue;
      if (counts) this.commit(Math.min(after.commitIndex, reference.committable(id)));
      reference.appendAsLeader(id, entry);
    }
    if (counts) this.commit(after.commitIndex);
  }

  private commit(index: number): void {
    if (index > this.server.commitIndex) this.reference.advanceCommitIndex(this.id, index);
  }

  private tellMessages(sends: readonly Send[]): void {
    for (const { to, message } of sends) this.reference.send(this.id, to, message);
    this.sends = this.sends.filter((send) => !sends.includes(send));
  }
}

/** What can be seen of the core is what the reference says. */
export function expectAgreement(reference: Reference, id: MemberId, state: RaftState): void {
  const { memory, role, commitIndex } = reference.server(id);
  const seenRole = state.role === "preCandidate" ? "follower" : state.role;
  const { log } = memory;
  const { term, index } = lastOf(log);
  const agrees = memory.currentTerm === state.currentTerm && memory.votedFor === state.votedFor && role === seenRole &&
    commitIndex === state.commitIndex && memory.base === state.base.index && memory.snapshot === state.snapshot.index &&
    term === state.last.term && index === state.last.index && same(memory.lost?.entry ?? null, state.lost);
  const told = JSON.stringify({ ...memory, log: [term, index], role, commitIndex });
  expectThat(agrees, `the core became what the reference did: ${told}, but it is ${JSON.stringify(state)}`);
  const above = log.slice(memory.base);
  const runs = above.filter((entry, at) => entry.term !== above[at - 1]?.term);
  const starts = runs.map(({ term, index }) => ({ term, index }));
  expectThat(same(starts, state.terms), "the terms of the log are those of what was persisted");
  const inForce = numberOfFrozen(frozen(reference.configurationOf(log)));
  expectThat(numberOfFrozen(frozen(state.configuration)) === inForce, "in force is the last configuration");
}

export function expectThat(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new Error(`expected: ${rule}`);
}
