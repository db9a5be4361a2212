/** What the reader points at and what is pinned; and all that this was caused by or has led to. */
import type { Cause, Moment, Span } from "../sim/chronicle/format.ts";
import type { Link, Model } from "./model.ts";

export type Target =
  | { readonly type: "link"; readonly link: Link }
  | { readonly type: "moment"; readonly moment: Moment }
  | { readonly type: "span"; readonly span: Span }
  | { readonly type: "node"; readonly node: number; readonly at: number };

/** How many steps ahead, and how many consequences at most: an append leads to everything. */
const MAX_STEPS = 6;
const MAX_EFFECTS = 160;

export class Selection {
  hovered: Target | null = null;
  pinned: Target | null = null;
  causes: ReadonlySet<Cause> = new Set();
  effects: ReadonlySet<Cause> = new Set();
  /** Told of each change. */
  onChange: () => void = () => undefined;
  private readonly model: Model;

  constructor(model: Model) {
    this.model = model;
  }

  get hasChain(): boolean {
    return this.pinned?.type === "link";
  }

  hover(target: Target | null): void {
    if (target === this.hovered) return;
    this.hovered = target;
    this.onChange();
  }

  /** null: nothing is pinned any more. */
  pin(target: Target | null): void {
    this.pinned = target;
    this.causes = new Set();
    this.effects = new Set();
    if (target?.type === "link") {
      this.causes = new Set(this.model.causesOf(target.link).map(({ id }) => id));
      this.effects = this.effectsOf(target.link);
    }
    this.onChange();
  }

  isPinned(link: Link): boolean {
    return this.pinned?.type === "link" && this.pinned.link === link;
  }

  isInChain(link: Link): boolean {
    return this.isPinned(link) || this.causes.has(link.id) || this.effects.has(link.id);
  }

  private effectsOf(link: Link): ReadonlySet<Cause> {
    const found = new Set<Cause>();
    let last: readonly Link[] = [link];
    for (let step = 0; step < MAX_STEPS && last.length > 0; step++) {
      // Where a call returns, something ends.
      const open = step === 0 ? last : last.filter(({ type }) => type !== "call");
      last = open.flatMap((one) => this.model.effectsOf(one)).slice(0, MAX_EFFECTS - found.size);
      for (const { id } of last) found.add(id);
    }
    return found;
  }
}

export function timeOf(target: Target): number {
  switch (target.type) {
    case "link":
      return target.link.at;
    case "moment":
      return target.moment.at;
    case "span":
      return target.span.from;
    default:
      return target.at;
  }
}
