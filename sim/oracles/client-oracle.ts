/**
 * What clients were told, against what can be true: follows the workload's history event by event, and looks at the
 * database once, at the end. It knows nothing of nodes.
 */
import { unreachable } from "../../core/invariant.ts";
import type { Attempt, History, HistoryEvent, Seen, Write } from "../workload/history.ts";
import type { FinalNode, ImageReader, JudgeCounts, Violation } from "./boundary.ts";
import { judgeFinalState, judgeTotal, readFinalState } from "./final-state.ts";
import { ItemOracle } from "./item-oracle.ts";
import { ListOracle } from "./list-oracle.ts";
import type { Reading } from "./reading.ts";
import { SerialOracle } from "./serial-oracle.ts";
import { violation } from "./violation.ts";

export class ClientOracle {
  private readonly history: History;
  private readonly counts: JudgeCounts;
  private readonly lists = new ListOracle();
  private readonly serial = new SerialOracle(this.lists);
  private readonly items = new ItemOracle();
  /** All attempts that asked for a write. */
  private readonly attempts = new Set<Attempt>();
  /** When each read under way began. */
  private readonly reads = new Map<number, number>();
  /** Events so far: the time of this oracle. */
  private now = 0;

  constructor(history: History, counts: JudgeCounts) {
    this.history = history;
    this.counts = counts;
  }

  stepped(): Violation | null {
    for (const event of this.history.take()) {
      this.now++;
      const found = this.judge(event);
      if (found !== null) return found;
    }
    return null;
  }

  finished(nodes: readonly FinalNode[], reader: ImageReader): Violation | null {
    const first = nodes[0];
    if (first === undefined) return null;
    const image = first.image.length === 0 ? null : reader.open(first.image);
    const state = readFinalState(image);
    image?.close();
    this.now++;
    const lists = { type: "list", key: null, rows: state.lists, own: [] } as const;
    const reading = { application: "", consistency: "linearizable", begunAt: this.now } as const;
    return judgeFinalState(this.attempts, state) ?? this.seenList(lists, reading, null);
  }

  private judge(event: HistoryEvent): Violation | null {
    switch (event.type) {
      case "Wrote":
        return this.wrote(event.attempt, event.write);
      case "Refused":
        if (event.write.type === "append") this.lists.refused(event.write.value);
        if (event.write.type === "item") this.items.refused(event.write.id);
        return null;
      case "Ended":
        return this.ended(event.attempt);
      case "ReadBegun":
        this.reads.set(event.read, this.now);
        return null;
      case "ReadEnded": {
        const begunAt = this.reads.get(event.read) ?? this.now;
        this.reads.delete(event.read);
        const { application, attempt, consistency, seen } = event;
        return seen === null ? null : this.seen(seen, { application, consistency, begunAt }, attempt);
      }
      case "Surprised":
        return violation("answer", `${event.application} was told what no fault explains: ${event.message}`);
      default:
        return unreachable(event);
    }
  }

  private wrote(attempt: Attempt, write: Write): null {
    this.attempts.add(attempt);
    if (write.type === "append") {
      this.lists.asked(attempt, write.key, write.value, this.now);
      this.serial.asked(attempt, this.now);
    }
    if (write.type === "item") this.items.asked(attempt, write.id);
    return null;
  }

  private ended(attempt: Attempt): Violation | null {
    for (const write of attempt.writes) {
      const found = this.settled(attempt, write);
      if (found !== null) return found;
    }
    return this.serial.ended(attempt, this.now);
  }

  private settled(attempt: Attempt, write: Write): Violation | null {
    const committed = attempt.outcome === "committed";
    if (!committed && attempt.outcome !== "notExecuted") return null;
    switch (write.type) {
      case "append":
        if (committed) return this.lists.acknowledged(attempt, write.key, write.value, this.now);
        return this.lists.notExecuted(write.key, write.value);
      case "item":
        if (!committed) return this.items.notExecuted(write.id);
        this.items.acknowledged(write.id, this.now);
        return null;
      case "transfer":
        return null;
      default:
        return unreachable(write);
    }
  }

  private seen(seen: Seen, reading: Reading, attempt: Attempt | null): Violation | null {
    this.counts.clientReads++;
    switch (seen.type) {
      case "list":
        return this.seenList(seen, reading, attempt);
      case "item":
        return this.items.read(seen.id, seen.found, reading, this.now);
      case "accounts":
        return judgeTotal(seen.balances);
      default:
        return unreachable(seen);
    }
  }

  private seenList(seen: Seen & { type: "list" }, reading: Reading, attempt: Attempt | null): Violation | null {
    return this.lists.read(seen, reading, this.now) ?? this.serial.read(seen, reading, attempt, this.now);
  }
}
