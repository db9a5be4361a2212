/**
 * Where everything stands from top to bottom: the axis, what is cut, one lane for each node, one for each client. What
 * is hidden takes no room.
 */
import type { Span } from "../sim/chronicle/format.ts";
import type { Model } from "./model.ts";

export const GUTTER = 148;
export const AXIS_HEIGHT = 24;
const CUT_HEIGHT = 15;
const MAX_CUT_ROWS = 4;
const CALL_HEIGHT = 8;
const MAX_CALL_PLACES = 6;
/** Of a node that never runs. */
const IDLE_HEIGHT = 22;
const MIN_NODE_HEIGHT = 58;
const MAX_NODE_HEIGHT = 150;
/** Half of the bar that tells a node's role. */
export const BAR_RADIUS = 8;

export class Lanes {
  /** Of each lane; 0: hidden. */
  private readonly heights: number[];
  private readonly tops: number[];
  /** Rows of those cuts that overlap. */
  private readonly cutRows = new Map<Span, number>();
  private readonly model: Model;
  readonly cutsTop = AXIS_HEIGHT;
  private readonly cutCount: number;
  bottom = 0;

  constructor(model: Model) {
    this.model = model;
    this.heights = model.lanes.map(() => 0);
    this.tops = model.lanes.map(() => 0);
    this.cutCount = this.placeCuts();
  }

  get nodesTop(): number {
    return this.cutsTop + this.cutCount * CUT_HEIGHT + 4;
  }

  isNode(lane: number): boolean {
    return lane < this.model.nodeCount;
  }

  /** Whether it ever runs. */
  isIdle(lane: number): boolean {
    return this.isNode(lane) && this.model.states[lane]!.length === 0;
  }

  isShown(lane: number): boolean {
    return this.heights[lane]! > 0;
  }

  top(lane: number): number {
    return this.tops[lane]!;
  }

  height(lane: number): number {
    return this.heights[lane]!;
  }

  /** Where packets begin and end. */
  line(lane: number): number {
    const [top, height] = [this.tops[lane]!, this.heights[lane]!];
    return this.isNode(lane) && !this.isIdle(lane) ? top + Math.min(height * 0.36, 30) : top + height / 2;
  }

  at(y: number): number | null {
    const found = this.model.lanes.findIndex((_, lane) => {
      return this.isShown(lane) && y >= this.tops[lane]! && y < this.tops[lane]! + this.heights[lane]!;
    });
    return found < 0 ? null : found;
  }

  cutRow(cut: Span): { readonly top: number; readonly height: number } {
    return { top: this.cutsTop + this.cutRows.get(cut)! * CUT_HEIGHT, height: CUT_HEIGHT - 3 };
  }

  callTop(lane: number, place: number): number {
    return this.tops[lane]! + 5 + (place % MAX_CALL_PLACES) * CALL_HEIGHT;
  }

  get callHeight(): number {
    return CALL_HEIGHT - 2;
  }

  /** Gives each lane its place; nodes share what is left of `height`. */
  arrange(height: number, isShown: (lane: number) => boolean): void {
    const { lanes, nodeCount, callPlaces } = this.model;
    const shares = (lane: number): boolean => isShown(lane) && this.isNode(lane) && !this.isIdle(lane);
    for (const lane of lanes.keys()) {
      const places = Math.min(Math.max(callPlaces[lane] ?? 0, 1), MAX_CALL_PLACES);
      const own = this.isIdle(lane) ? IDLE_HEIGHT : places * CALL_HEIGHT + 10;
      this.heights[lane] = shares(lane) || !isShown(lane) ? 0 : own;
    }
    const shownNodes = lanes.filter((_, lane) => shares(lane)).length;
    const rest = height - this.nodesTop - this.heights.reduce((sum, one) => sum + one, 0) - 8;
    const each = Math.min(Math.max(Math.floor(rest / Math.max(shownNodes, 1)), MIN_NODE_HEIGHT), MAX_NODE_HEIGHT);
    let top = this.nodesTop;
    for (const lane of lanes.keys()) {
      if (shares(lane)) this.heights[lane] = each;
      if (lane === nodeCount) top += 6;
      this.tops[lane] = top;
      top += this.heights[lane]!;
    }
    this.bottom = top;
  }

  private placeCuts(): number {
    const ends: number[] = [];
    for (const span of this.model.spans.filter(isCut)) {
      const free = ends.findIndex((end) => end <= span.from);
      const row = free < 0 ? ends.length : free;
      ends[row] = span.end ?? this.model.end;
      this.cutRows.set(span, row % MAX_CUT_ROWS);
    }
    return Math.min(ends.length, MAX_CUT_ROWS);
  }
}

export function isCut(span: Span): boolean {
  return span.others.length > 0;
}
