/**
 * What all logs of a run have ever said, as far as Log Matching (figure 3) needs it: where each term's entries begin,
 * what stands before them, and what each entry contains. A term has one leader, so all of that is said once and for
 * good.
 */
import { type Entry, type EntryId, type LogIndex, type NodeId, type Term } from "../../core/types.ts";
import { isEntryKind, type RecordHeader } from "../../core/storage/record.ts";
import type { Violation } from "./boundary.ts";
import { violation } from "./violation.ts";

interface RunStart {
  readonly index: LogIndex;
  /** The entry immediately before the run. */
  readonly before: EntryId;
  readonly node: NodeId;
}

interface Content {
  readonly kind: Entry["kind"];
  readonly payloadSize: number;
  readonly payloadChecksum: number;
  readonly node: NodeId;
}

export class LogHistory {
  private readonly runs = new Map<Term, RunStart>();
  /** By index, then by term. */
  private readonly contents: Map<Term, Content>[] = [];

  /**
   * The log of `node` has these runs above its base, which is committed; the first `known` of them were judged before.
   * By induction: equal term and index imply equal everything before, as soon as each run has one beginning.
   */
  judgeRuns(node: NodeId, base: EntryId, runs: readonly EntryId[], known: number): Violation | null {
    for (let at = known; at < runs.length; at++) {
      const run = runs[at] as EntryId;
      const before = { term: (runs[at - 1] ?? base).term, index: (run.index - 1) as LogIndex };
      // The base lies within this run: where that begins is no longer to be seen.
      if (before.term === run.term) continue;
      const said = this.runs.get(run.term);
      if (said === undefined) this.runs.set(run.term, { index: run.index, before, node });
      else if (said.index !== run.index || said.before.term !== before.term) {
        const here = `${before.term}/${before.index} before ${run.term}/${run.index}`;
        const there = `${said.before.term}/${said.before.index} before ${run.term}/${said.index}`;
        const message = `${node} has ${here}, ${said.node} had ${there}`;
        return violation("log-matching", message, [node, said.node], run.index);
      }
    }
    return null;
  }

  /** The disk of `node` holds this record. */
  judgeContent(node: NodeId, record: RecordHeader): Violation | null {
    const { kind, payloadSize, payloadChecksum, entry } = record;
    if (!isEntryKind(kind)) return null;
    const byTerm = (this.contents[entry.index] ??= new Map<Term, Content>());
    const said = byTerm.get(entry.term);
    if (said === undefined) byTerm.set(entry.term, { kind, payloadSize, payloadChecksum, node });
    else if (said.kind !== kind || said.payloadSize !== payloadSize || said.payloadChecksum !== payloadChecksum) {
      const message = `entry ${entry.term}/${entry.index} differs on the disks of ${said.node} and ${node}`;
      return violation("log-matching", message, [said.node, node], entry.index);
    }
    return null;
  }
}
