/**
 * The replicated log as Raft sees it: the terms of all entries behind its base, the payloads of only the newest. Not
 * the log on disk (storage/) and not what of it is durable (durability.ts).
 *
 * The one hard idea: payloads are in memory for [firstCached, last] and nowhere else. They leave from the front, and
 * only when they are durable and nobody here is about to need them (delivery.ts). What is older comes back through
 * ReadEntries; what lies at or before the base is gone, and only a snapshot has it. A truncation may reach below
 * firstCached (after a restart nothing is in memory); then nothing is cached.
 */
import { invariant } from "../invariant.ts";
import type { Entry, EntryId, LogIndex, Term } from "../types.ts";
import type { RaftLimits, RecoveredLog } from "./boundary.ts";
import { TermRuns } from "../term-runs.ts";

export class Log {
  private readonly terms: TermRuns;
  /** The entries of [firstCached, last]. */
  private cache: Entry[] = [];
  /** How many at the front of the cache have been evicted: they are cut off together, once there are many. */
  private evicted = 0;
  private bytes = 0;

  constructor(recovered: RecoveredLog) {
    this.terms = new TermRuns(recovered.terms, recovered.last, recovered.base);
  }

  /** The last entry that was compacted away; 0/0: none. */
  get base(): EntryId {
    return this.terms.base;
  }

  /** The last entry; the base: nothing follows it. */
  get last(): EntryId {
    return this.terms.last;
  }

  /** Where each run of equal terms begins, ascending. */
  get runs(): readonly EntryId[] {
    return this.terms.runs;
  }

  /** The first entry whose payload is in memory; last.index + 1: none is. */
  get firstCached(): LogIndex {
    return (this.last.index + 1 - (this.cache.length - this.evicted)) as LogIndex;
  }

  get cachedBytes(): number {
    return this.bytes;
  }

  idAt(index: LogIndex): EntryId {
    return this.terms.idAt(index);
  }

  termAt(index: LogIndex): Term {
    return this.terms.termAt(index);
  }

  /** Whether this log holds just this entry, and so (Log Matching, figure 3) all entries before it. */
  holds(entry: EntryId): boolean {
    return this.terms.holds(entry);
  }

  /** The last entry that is neither above the index nor of a later term; 0/0 if there is none. */
  lastAtMost(index: LogIndex, term: Term): EntryId {
    return this.terms.lastAtMost(index, term);
  }

  append(entry: Entry): void {
    // Only its identity: the runs outlive the payload.
    this.terms.append({ term: entry.term, index: entry.index });
    this.cache.push(entry);
    this.bytes += entry.payload.length;
  }

  /** Cuts everything above `keep`, from memory too. */
  truncate(keep: LogIndex): void {
    const kept = Math.max(0, keep + 1 - this.firstCached);
    for (const cut of this.cache.splice(this.evicted + kept)) this.bytes -= cut.payload.length;
    this.terms.truncate(keep);
  }

  /** Everything up to `through` is in a snapshot: it becomes the base. */
  compact(through: EntryId): void {
    this.drop(through.index + 1 - this.firstCached);
    this.terms.compact(through);
  }

  /** A snapshot has taken the place of the log. */
  reset(base: EntryId): void {
    this.cache = [];
    this.evicted = 0;
    this.bytes = 0;
    this.terms.reset(base);
  }

  /** Cached entries from `from` on, below `end`, within the limits of one message; at least one. */
  batch(from: LogIndex, end: LogIndex, limits: RaftLimits): readonly Entry[] {
    return limitBatch(this.slice(from, Math.min(end, from + limits.maxMessageEntries) as LogIndex), limits);
  }

  /** All cached entries of [from, end). */
  slice(from: LogIndex, end: LogIndex): readonly Entry[] {
    const first = this.firstCached;
    invariant(from >= first && from < end && end <= this.last.index + 1, "a slice is cached and not empty");
    return this.cache.slice(this.evicted + from - first, this.evicted + end - first);
  }

  /** Lets payloads up to `through`, which are durable, leave memory until no more than `maxBytes` are left. */
  evict(through: LogIndex, maxBytes: number): void {
    if (this.bytes <= maxBytes) return;
    const first = this.firstCached;
    let count = 0;
    for (let left = this.bytes; left > maxBytes && first + count <= through; count++) {
      left -= (this.cache[this.evicted + count] as Entry).payload.length;
    }
    this.drop(count);
  }

  /** Of the cached entries the oldest `count` leave. */
  private drop(count: number): void {
    const end = this.evicted + Math.min(count, this.cache.length - this.evicted);
    for (let at = this.evicted; at < end; at++) {
      this.bytes -= (this.cache[at] as Entry).payload.length;
      this.cache[at] = GONE;
    }
    if (end > this.evicted) this.evicted = end;
    // Moving the rest to the front costs as much as there is of it.
    if (this.evicted < EVICTED_AT_ONCE && this.evicted < this.cache.length) return;
    this.cache.splice(0, this.evicted);
    this.evicted = 0;
  }
}

const EVICTED_AT_ONCE = 1024;
/** Stands where an entry was, so that its payload is free at once. */
const GONE: Entry = { term: 0 as Term, index: 0 as LogIndex, kind: "noop", payload: new Uint8Array(0) };

/** The front of `entries` that one message may carry: within the limits, but at least one. */
export function limitBatch(entries: readonly Entry[], limits: RaftLimits): readonly Entry[] {
  let bytes = 0;
  let count = 0;
  for (const entry of entries) {
    bytes += entry.payload.length;
    if (count > 0 && (bytes > limits.maxMessageBytes || count === limits.maxMessageEntries)) break;
    count += 1;
  }
  return count === entries.length ? entries : entries.slice(0, count);
}
