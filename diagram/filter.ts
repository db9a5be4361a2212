/** What is shown, and what is looked for: by lane, by kind of packet, by what went wrong, and by words. */
import { PACKET_KINDS, type PacketKind } from "./kinds.ts";
import type { Link, Model, Packet } from "./model.ts";

/** `#12`: entry 12. `t3`: term 3. Anything else: what is said. */
type Query =
  | { readonly type: "index"; readonly index: number }
  | { readonly type: "words"; readonly pattern: RegExp };

export class Filter {
  readonly hiddenLanes = new Set<number>();
  readonly hiddenKinds = new Set<PacketKind>();
  faultsOnly = false;
  showsDisks = true;
  /** Empty: nothing is looked for. */
  words = "";
  private readonly model: Model;
  private matches: ReadonlySet<number> = new Set();
  private query: Query | null = null;
  /** Told of each change. */
  onChange: () => void = () => undefined;

  constructor(model: Model) {
    this.model = model;
  }

  get isSearching(): boolean {
    return this.query !== null;
  }

  /** The entry that is looked for; null: something else is, or nothing. */
  get index(): number | null {
    return this.query?.type === "index" ? this.query.index : null;
  }

  shows(packet: Packet): boolean {
    if (this.hiddenKinds.has(packet.kind)) return false;
    if (this.hiddenLanes.has(packet.from) || this.hiddenLanes.has(packet.to)) return false;
    return !this.faultsOnly || (packet.fate !== "arrived" && packet.fate !== "underWay") || packet.isCopy;
  }

  showsLane(lane: number): boolean {
    return !this.hiddenLanes.has(lane);
  }

  /** Whether it is what is looked for. */
  finds(link: Link): boolean {
    return this.matches.has(link.id);
  }

  findsText(text: string): boolean {
    if (this.query === null) return true;
    if (this.query.type === "index") return new RegExp(`(?:index|/)[= ]?${this.query.index}\\b`).test(text);
    return this.query.pattern.test(text);
  }

  search(words: string): void {
    this.words = words;
    this.query = parseQuery(words);
    const { query, model } = this;
    const links: readonly Link[] = query === null ? [] : [...model.packets, ...model.calls, ...model.operations];
    this.matches = new Set(links.filter((link) => query !== null && matches(link, query)).map(({ id }) => id));
    this.onChange();
  }

  toggleLane(lane: number): void {
    toggle(this.hiddenLanes, lane);
    this.onChange();
  }

  /** Only this lane, or all again. */
  toggleOnlyLane(lane: number): void {
    const isOnly = !this.hiddenLanes.has(lane) && this.hiddenLanes.size === this.model.lanes.length - 1;
    this.hiddenLanes.clear();
    if (!isOnly) for (const other of this.model.lanes.keys()) if (other !== lane) this.hiddenLanes.add(other);
    this.onChange();
  }

  toggleKind(kind: PacketKind): void {
    toggle(this.hiddenKinds, kind);
    this.onChange();
  }

  toggleOnlyKind(kind: PacketKind): void {
    const isOnly = !this.hiddenKinds.has(kind) && this.hiddenKinds.size === PACKET_KINDS.length - 1;
    this.hiddenKinds.clear();
    if (!isOnly) for (const other of PACKET_KINDS) if (other !== kind) this.hiddenKinds.add(other);
    this.onChange();
  }
}

function toggle<Value>(set: Set<Value>, value: Value): void {
  if (!set.delete(value)) set.add(value);
}

function parseQuery(words: string): Query | null {
  const trimmed = words.trim();
  if (trimmed === "") return null;
  const index = /^#(\d+)$/.exec(trimmed)?.[1];
  if (index !== undefined) return { type: "index", index: Number(index) };
  const term = /^t(?:erm)?[ =]?(\d+)$/i.exec(trimmed)?.[1];
  if (term !== undefined) return { type: "words", pattern: new RegExp(`\\bterm=${term}\\b`) };
  return { type: "words", pattern: new RegExp(trimmed.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i") };
}

const ENTRIES = /entries=\d+\/(\d+)(?:\.\.\d+\/(\d+))?/;
const SINGLE = /(?:match|rejected|index)=(\d+)|of=\d+\/(\d+)/;

function matches(link: Link, query: Query): boolean {
  if (query.type === "words") {
    return query.pattern.test(link.text) || (link.type === "call" && query.pattern.test(link.result));
  }
  const [, first, last] = ENTRIES.exec(link.text) ?? [];
  if (first !== undefined) return query.index >= Number(first) && query.index <= Number(last ?? first);
  const [, one, snapshot] = SINGLE.exec(link.text) ?? [];
  return Number(one ?? snapshot ?? Number.NaN) === query.index;
}
