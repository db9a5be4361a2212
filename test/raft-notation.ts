/**
 * How Raft's values are written in tests: an entry is `term/index` (with a `*` if it is a configuration), a log is its
 * terms by index (`1 1 2` is 1/1 1/2 2/3), a configuration its members (`[a b c d:standby]`, voters without their role;
 * joint: `[b c d | a b c]`, the voters that are being left behind the bar), a message its name and `key=value`s,
 * defaults omitted. Messages that are shown can be parsed again.
 */
import { invariant, unreachable } from "../core/invariant.ts";
import type { RaftEffect, RecoveredLog } from "../core/raft/boundary.ts";
import { foundingConfiguration, type Configuration } from "../core/raft/configuration.ts";
import { decodeConfiguration } from "../core/raft/configuration-codec.ts";
import type { RaftState } from "../core/raft/invariants.ts";
import type { AppendEntriesReply, Message } from "../core/raft/message.ts";
import { NO_ENTRY } from "../core/types.ts";
import type { Entry, EntryId, Instant, LogIndex, MemberId, Term } from "../core/types.ts";

/** `log("1 1 2 4")`: four entries by their terms. An odd payload: its own index, so that a mix-up shows. */
export function log(terms: string): readonly Entry[] {
  return terms.split(" ").filter((term) => term !== "").map((term, at) => entry({ term: Number(term), index: at + 1 }));
}

export function entry(id: { readonly term: number; readonly index: number }, size = 1): Entry {
  const payload = new Uint8Array(size).fill(id.index);
  return { term: id.term as Term, index: id.index as LogIndex, kind: "payload", payload };
}

/** What recovery would say of these entries behind a base. */
export function recoveredLog(entries: readonly Entry[], base: EntryId = NO_ENTRY): RecoveredLog {
  const starts = entries.filter(({ term }, at) => term !== entries[at - 1]?.term);
  const terms = starts.map(({ term, index }) => ({ term, index }));
  const last = entries[entries.length - 1] ?? base;
  const configurations = entries.filter(({ kind }) => kind === "configuration").map(({ index, payload }) => {
    const decoded = decodeConfiguration(payload);
    invariant(decoded.ok, "a configuration entry holds a configuration");
    return { index, configuration: decoded.value };
  });
  return { base, terms, last: { term: last.term, index: last.index }, configurations };
}

export function showConfiguration({ members, outgoing, version }: Configuration): string {
  const named = members.map(({ id, role }) => (role === "voter" ? id : `${id}:${role}`)).join(" ");
  const left = outgoing.length === 0 ? "" : ` | ${outgoing.map(({ id }) => id).join(" ")}`;
  return `[${named}${left}]${version === 1 ? "" : ` version=${version}`}`;
}

export function showId({ term, index }: EntryId): string {
  return `${term}/${index}`;
}

/** `2/end`: nobody knows how far the log had come. */
function showLost(lost: EntryId): string {
  return lost.index === Number.MAX_SAFE_INTEGER ? `${lost.term}/end` : showId(lost);
}

function showEntries(entries: readonly Entry[]): string {
  return `[${entries.map((one) => `${showId(one)}${one.kind === "configuration" ? "*" : ""}`).join(" ")}]`;
}

/** `key=value` for each that differs from its default. */
function pairs(...values: readonly (readonly [string, unknown, unknown?])[]): string {
  const shown = values.filter(([, value, omitted]) => value !== omitted);
  return shown.map(([key, value]) => ` ${key}=${String(value)}`).join("");
}

export function showMessage(message: Message): string {
  const head = `${message.type} term=${message.term}`;
  switch (message.type) {
    case "RequestPreVote":
      return head + pairs(["last", showId(message.lastLog)]);
    case "RequestVote":
      return head + pairs(["last", showId(message.lastLog)]) + (message.isTransfer ? " transfer" : "");
    case "RequestPreVoteReply":
    case "RequestVoteReply":
      return head + (message.granted ? " granted" : " refused");
    case "AppendEntries":
      return head + pairs(
        ["prev", showId(message.prevLog)],
        ["entries", showEntries(message.entries), "[]"],
        ["commit", message.leaderCommit, 0],
        ["round", message.round, 0],
      );
    case "AppendEntriesReply":
      return head + showResult(message.result) + pairs(["round", message.round, 0], ["version", message.version, 1])
        + (message.hasSpace ? "" : " full") + (message.hasLost ? " lost" : "");
    case "InstallSnapshot": {
      const { snapshot: { entry: last, configuration, size, checksum }, offset, bytes } = message;
      const place = pairs(["snapshot", showId(last)], ["offset", offset], ["bytes", bytes.length], ["size", size]);
      return `${head}${place}${pairs(["checksum", checksum, 0])} config=${showConfiguration(configuration)}`;
    }
    case "InstallSnapshotReply": {
      const { entry: last, checksum, received, installed } = message;
      const place = pairs(["snapshot", showId(last)], ["received", received], ["checksum", checksum, 0]);
      return head + place + (installed ? " installed" : "");
    }
    case "TimeoutNow":
    case "Leaving":
      return head;
    case "ReadIndex":
      return `${head} request${message.hasLost ? " lost" : ""}`;
    case "ReadIndexReply":
      return head + pairs(["index", message.index ?? "none"]);
    default:
      return unreachable(message);
  }
}

function showResult(result: AppendEntriesReply["result"]): string {
  if (result.accepted) return pairs(["match", result.matchIndex]);
  return pairs(["rejected", result.rejected], ["hint", showId(result.hint)]);
}

/** One line; null: not worth one. */
export function showEffect(node: string, effect: RaftEffect, now: Instant): string | null {
  switch (effect.type) {
    case "Persist": {
      const { hardState, snapshot, truncateTo, entries, ticket } = effect;
      const vote = hardState?.votedFor ?? null;
      const term = hardState === null || vote !== null ? null : hardState.currentTerm;
      const cut = pairs(["term", term, null], ["vote", vote, null], ["truncateTo", truncateTo, null]);
      const installed = pairs(["snapshot", snapshot === null ? null : showId(snapshot.entry), null]);
      return `${node} Persist #${ticket}${cut}${installed}${pairs(["entries", showEntries(entries), "[]"])}`;
    }
    case "Send":
      return `${node}→${effect.to} ${showMessage(effect.message)}`;
    case "SetTimer":
      return `${node} SetTimer +${Math.floor((effect.at - now) / 1000)}ms`;
    case "Accept":
      return `${node} Accept #${effect.proposal} ${showId(effect.entry)}`;
    case "Resolve": {
      const { outcome } = effect;
      const entry = "entry" in outcome ? ` ${showId(outcome.entry)}` : "";
      const reason = outcome.type === "refused" ? ` ${outcome.reason}` : "";
      return `${node} Resolve #${effect.proposal} ${outcome.type}${reason}${entry}`;
    }
    case "Apply":
      return `${node} Apply ${showEntries(effect.entries)}`;
    case "ReadEntries": {
      const purpose = effect.purpose.type === "apply" ? "apply" : effect.purpose.to;
      return `${node} ReadEntries for=${purpose} from=${effect.from} end=${effect.end}`;
    }
    case "ReadReady":
      return `${node} ReadReady #${effect.read} index=${effect.index}`;
    case "ReadRefused":
      return `${node} ReadRefused #${effect.read}`;
    case "LeadershipChanged":
      // Its term, and that there is no leader now, stand in the line about the node's role.
      return effect.leader === null ? null : `${node} LeadershipChanged leader=${effect.leader}`;
    case "ConfigurationChanged":
      return `${node} ConfigurationChanged ${showConfiguration(effect.configuration)}`;
    case "ChangeResolved": {
      const { outcome } = effect;
      const detail = outcome.type === "refused" ? ` ${outcome.reason}` : "";
      return `${node} ChangeResolved ${outcome.type}${detail}${"index" in outcome ? ` index=${outcome.index}` : ""}`;
    }
    case "TransferResolved": {
      const { outcome } = effect;
      return `${node} TransferResolved ${outcome.type}${outcome.type === "refused" ? ` ${outcome.reason}` : ""}`;
    }
    case "Leave":
    case "TakeSnapshot":
    case "ForgetLoss":
      return `${node} ${effect.type}`;
    case "Restore":
      return `${node} Restore ${showId(effect.snapshot.entry)}`;
    case "PinSnapshot":
    case "ReleaseSnapshot":
      return `${node} ${effect.type} ${showId(effect.snapshot.entry)}`
        + pairs(["checksum", effect.snapshot.checksum, 0]);
    case "Compact":
      return `${node} Compact through=${showId(effect.through)}`;
    case "StoreChunk":
      return `${node} StoreChunk of=${showId(effect.snapshot.entry)}`
        + pairs(["offset", effect.offset], ["bytes", effect.bytes.length]);
    case "ReadSnapshot":
      return `${node} ReadSnapshot for=${effect.to} offset=${effect.offset}`;
    case "Reject":
      return `${node} Reject from=${effect.from}: ${effect.rule}`;
    default:
      return unreachable(effect);
  }
}

/** `log`: the terms of what stands in the node's log. */
export function showState(state: RaftState, founding: Configuration): string {
  const terms: number[] = [];
  for (const [at, run] of state.terms.entries()) {
    const end = state.terms[at + 1]?.index ?? state.last.index + 1;
    for (let index: number = run.index; index < end; index++) terms.push(run.term);
  }
  const configuration = showConfiguration(state.configuration);
  return `${state.id} ${state.role} term=${state.currentTerm}` + pairs(
    ["vote", state.votedFor, null],
    ["lost", state.lost === null ? null : showLost(state.lost), null],
    ["full", state.hasSpace ? null : true, null],
    ["leader", state.role === "leader" ? null : state.leader, null],
    ["config", configuration, showConfiguration(founding)],
    ["snapshot", showId(state.snapshot), "0/0"],
    ["base", showId(state.base), "0/0"],
    ["log", `[${terms.join(" ")}]`],
    ["durable", state.durable.index, state.last.index],
    ["commit", state.commitIndex, 0],
    ["applied", state.lastApplied, state.commitIndex],
  );
}

// Parsing. Tests only: a mistake in a scenario is a bug of ours.

export interface Words {
  readonly words: readonly string[];
  readonly values: ReadonlyMap<string, string>;
}

/** `a b=1 c=[1/1 2/2]` as words and values; a list keeps its blanks. */
export function parseWords(text: string): Words {
  const words: string[] = [];
  const values = new Map<string, string>();
  for (const [part] of text.matchAll(/\S+=\[[^\]]*\]|\S+/g)) {
    const equals = part.indexOf("=");
    if (equals === -1) words.push(part);
    else values.set(part.slice(0, equals), part.slice(equals + 1));
  }
  return { words, values };
}

export function parseId(text: string): EntryId {
  const [term, index] = text.split("/").map(Number);
  invariant(Number.isInteger(term) && Number.isInteger(index), "an entry is written term/index");
  return { term: term as Term, index: index as LogIndex };
}

export function parseMessage(text: string): Message {
  const { words, values } = parseWords(text);
  const number = (key: string): number => Number(values.get(key) ?? 0);
  const id = (key: string): EntryId => parseId(values.get(key) ?? "0/0");
  const term = number("term") as Term;
  switch (words[0]) {
    case "RequestPreVote":
      return { type: "RequestPreVote", term, lastLog: id("last") };
    case "RequestVote":
      return { type: "RequestVote", term, lastLog: id("last"), isTransfer: words[1] === "transfer" };
    case "RequestPreVoteReply":
    case "RequestVoteReply":
      return { type: words[0], term, granted: words[1] === "granted" };
    case "TimeoutNow":
    case "Leaving":
      return { type: words[0], term };
    case "InstallSnapshot": {
      const size = number("size");
      const voters = (values.get("config") ?? "[a]").slice(1, -1).split(" ");
      const configuration = foundingConfiguration(voters as MemberId[]);
      const snapshot = { entry: id("snapshot"), configuration, size, checksum: number("checksum") };
      const bytes = new Uint8Array(number("bytes"));
      return { type: "InstallSnapshot", term, snapshot, offset: number("offset"), bytes };
    }
    case "InstallSnapshotReply": {
      const installed = words[1] === "installed";
      const [received, checksum] = [number("received"), number("checksum")];
      return { type: "InstallSnapshotReply", term, entry: id("snapshot"), checksum, received, installed };
    }
    case "ReadIndex":
      return { type: "ReadIndex", term, request: number("request"), hasLost: words.includes("lost") };
    case "ReadIndexReply":
      return { type: "ReadIndexReply", term, request: number("request"), index: number("index") as LogIndex };
    case "AppendEntries": {
      const ids = (values.get("entries") ?? "[]").slice(1, -1).split(" ").filter((part) => part !== "");
      const entries = ids.map((part) => entry(parseId(part)));
      const leaderCommit = number("commit") as LogIndex;
      return { type: "AppendEntries", term, prevLog: id("prev"), entries, leaderCommit, round: number("round") };
    }
    case "AppendEntriesReply": {
      const result: AppendEntriesReply["result"] = values.has("match")
        ? { accepted: true, matchIndex: number("match") as LogIndex }
        : { accepted: false, rejected: number("rejected") as LogIndex, hint: id("hint") };
      const [hasSpace, hasLost] = [!words.includes("full"), words.includes("lost")];
      return { type: "AppendEntriesReply", term, round: number("round"), version: 1, hasSpace, hasLost, result };
    }
    default:
      invariant(false, `a message begins with its name: ${text}`);
  }
}
