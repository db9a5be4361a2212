/**
 * The configurations along the log, and the one in force: the last that was appended, committed or not (§6). A
 * truncation takes those that it cuts back; a snapshot carries the one as of its entry.
 */
import { invariant } from "../invariant.ts";
import type { EntryId, LogIndex, MemberId } from "../types.ts";
import { isVoter, type Configuration } from "./configuration.ts";
import { Quorum } from "./quorum.ts";

/** A configuration and the entry that it came with: its own, or the last of a snapshot; 0/0: it was founded. */
export interface PlacedConfiguration {
  readonly entry: EntryId;
  readonly configuration: Configuration;
}

export class Configurations {
  /** Counts the changes, so that whoever follows them sees that there was one. */
  version = 0;
  private quorumInForce: Quorum;
  /** Ascending. The first is the one as of the log's base. */
  private records: PlacedConfiguration[];

  /** @param base as of the log's base @param appended those above it, ascending */
  constructor(base: PlacedConfiguration, appended: readonly PlacedConfiguration[]) {
    this.records = [base, ...appended];
    this.quorumInForce = new Quorum(this.current);
  }

  /** In force. */
  get current(): Configuration {
    return this.last.configuration;
  }

  /** Where the one in force stands; 0/0, or below the base: it was founded or came with a snapshot. */
  get entry(): EntryId {
    return this.last.entry;
  }

  get index(): LogIndex {
    return this.last.entry.index;
  }

  /** Of the one in force. */
  get quorum(): Quorum {
    return this.quorumInForce;
  }

  /** The one in force when the log ended at `index`. */
  at(index: LogIndex): Configuration {
    const record = this.records.findLast(({ entry }) => entry.index <= index) ?? this.records[0];
    invariant(record !== undefined, "there always is a configuration");
    return record.configuration;
  }

  /**
   * Whether it votes by the configuration in force or, as long as that may be taken back, by the one before: only the
   * latest can be uncommitted.
   */
  mayCount(id: MemberId, commitIndex: LogIndex): boolean {
    if (this.quorum.counts(id)) return true;
    const before = this.records[this.records.length - 2];
    return this.index > commitIndex && before !== undefined && isVoter(before.configuration, id);
  }

  append({ term, index }: EntryId, configuration: Configuration): void {
    invariant(index > this.index, "configurations ascend along the log");
    this.records.push({ entry: { term, index }, configuration });
    this.changed();
  }

  /** The log now ends at `keep`. */
  truncate(keep: LogIndex): void {
    if (this.index <= keep) return;
    this.records = this.records.filter(({ entry }, at) => at === 0 || entry.index <= keep);
    this.changed();
  }

  /** The log now begins behind `through`. */
  compact(through: LogIndex): void {
    const base = this.records.findLastIndex(({ entry }) => entry.index <= through);
    if (base > 0) this.records.splice(0, base);
  }

  /** A snapshot took the place of the log. */
  reset(base: PlacedConfiguration): void {
    this.records = [base];
    this.changed();
  }

  private get last(): PlacedConfiguration {
    return this.records[this.records.length - 1] as PlacedConfiguration;
  }

  private changed(): void {
    this.version += 1;
    this.quorumInForce = new Quorum(this.current);
  }
}
