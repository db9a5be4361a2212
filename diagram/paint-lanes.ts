/** What nodes are as time goes by: their roles and terms, their crashes, what their disks do and suffer. */
import type { Span } from "../sim/chronicle/format.ts";
import { drawIcon, isLoud } from "./icons.ts";
import { inWords } from "./kinds.ts";
import { BAR_RADIUS, isCut } from "./lanes.ts";
import { countUntil, type Operation, type State } from "./model.ts";
import { fit, hatch, type Pen, type Scene, write } from "./scene.ts";
import { termColour } from "./theme.ts";

/** Below the line of a lane. */
export const OPERATIONS_AT = 13;
const OPERATION_HEIGHT = 5;
const TROUBLE_AT = 21;
const TROUBLE_HEIGHT = 10;
/** More microseconds a pixel than this, and small signs would cover everything. */
const SMALL_SIGNS_US = 12_000;
const COMMITS_US = 3000;

export function paintLanes(pen: Pen, scene: Scene): void {
  const { lanes, model, theme, viewport } = scene;
  for (const lane of model.lanes.keys()) {
    if (!lanes.isShown(lane)) continue;
    pen.fillStyle = theme.laneBackground;
    pen.fillRect(viewport.left, lanes.top(lane) + 1, viewport.width, lanes.height(lane) - 3);
  }
}

export function paintNodes(pen: Pen, scene: Scene): void {
  for (let node = 0; node < scene.model.nodeCount; node++) {
    if (!scene.lanes.isShown(node)) continue;
    paintRoles(pen, scene, node);
    paintCommits(pen, scene, node);
  }
  if (scene.filter.showsDisks) paintOperations(pen, scene);
  for (const span of scene.model.spans) if (!isCut(span)) paintTrouble(pen, scene, span);
}

/** One run of equal role and term. */
interface Era {
  readonly state: State;
  readonly from: number;
  readonly end: number;
}

export function erasOf(scene: Scene, node: number, from: number, end: number): Era[] {
  const states = scene.model.states[node] ?? [];
  const eras: Era[] = [];
  let first = Math.max(0, countUntil(states, from) - 1);
  // The era may have begun earlier: its label belongs to where it begins.
  while (first > 0 && isSameEra(states[first - 1]!, states[first]!)) first--;
  for (let at = first; at < states.length && states[at]!.at <= end; at++) {
    const state = states[at]!;
    const until = states[at + 1]?.at ?? scene.model.end;
    const before = eras.at(-1);
    if (before !== undefined && isSameEra(before.state, state)) eras[eras.length - 1] = { ...before, end: until };
    else eras.push({ state, from: state.at, end: until });
  }
  return eras;
}

function isSameEra(a: State, b: State): boolean {
  return a.role === b.role && a.term === b.term;
}

function paintRoles(pen: Pen, scene: Scene, node: number): void {
  const { viewport, lanes, theme } = scene;
  const y = lanes.line(node);
  pen.setLineDash([2, 4]);
  pen.strokeStyle = theme.faint;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(viewport.left, y);
  pen.lineTo(viewport.left + viewport.width, y);
  pen.stroke();
  pen.setLineDash([]);
  for (const era of erasOf(scene, node, viewport.from, viewport.end)) paintEra(pen, scene, y, era);
}

function paintEra(pen: Pen, scene: Scene, y: number, { state, from, end }: Era): void {
  const { viewport, theme } = scene;
  const left = Math.max(viewport.x(from), viewport.left - 2);
  const width = Math.min(viewport.x(end), viewport.left + viewport.width + 2) - left;
  if (width <= 0 || state.role === "down") return;
  const colour = termColour(theme, state.term);
  pen.fillStyle = colour;
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  switch (state.role) {
    case "leader": {
      pen.fillRect(left, y - BAR_RADIUS, Math.max(width, 1.5), 2 * BAR_RADIUS);
      pen.font = "bold 11px system-ui";
      const label = fit(pen, `leader t${state.term}`, width - 8);
      const short = label.includes("…") || label === "" ? fit(pen, `t${state.term}`, width - 4) : label;
      const ink = theme.isDark ? "#10141a" : "#ffffff";
      return write(pen, short.includes("…") ? "" : short, left + 4, y + 4, ink, 11, "bold");
    }
    case "candidate":
      pen.strokeRect(left, y - 6, width, 12);
      return hatch(pen, left, y - 6, width, 12, colour, 4);
    case "preCandidate":
      return hatch(pen, left, y - 5, width, 10, theme.textFaint, 4);
    case "starting":
      pen.fillStyle = theme.faint;
      return pen.fillRect(left, y - 1.5, width, 3);
    default:
      pen.globalAlpha = 0.72;
      pen.fillRect(left, y - 3, width, 6);
      pen.globalAlpha = 1;
  }
}

/** Where the commit index rises, when there is room for that. */
function paintCommits(pen: Pen, scene: Scene, node: number): void {
  const { viewport, lanes, model, theme } = scene;
  if (viewport.usPerPixel > COMMITS_US) return;
  const states = model.states[node] ?? [];
  const y = lanes.line(node);
  let labelled = -Infinity;
  for (let at = Math.max(1, countUntil(states, viewport.from)); at < states.length; at++) {
    const state = states[at]!;
    if (state.at > viewport.end) return;
    if (state.commitIndex <= states[at - 1]!.commitIndex) continue;
    const x = viewport.x(state.at);
    pen.fillStyle = theme.text;
    pen.fillRect(x - 0.5, y - BAR_RADIUS - 4, 1, 8);
    if (x - labelled < 34) continue;
    labelled = x;
    write(pen, `✓${state.commitIndex}`, x + 2, y - BAR_RADIUS - 1, theme.textFaint, 9);
  }
}

function paintOperations(pen: Pen, scene: Scene): void {
  const { viewport, lanes, model, theme, selection } = scene;
  if (viewport.usPerPixel > 20_000) return;
  for (const operation of model.operations) {
    if (operation.end < viewport.from || !lanes.isShown(operation.lane)) continue;
    if (operation.at > viewport.end) break;
    const { left, top, width, height } = operationBox(scene, operation);
    const isNamed = selection.isInChain(operation) || scene.filter.finds(operation);
    pen.globalAlpha = selection.hasChain && !isNamed ? 0.25 : 1;
    const isSync = operation.text.startsWith("sync");
    pen.fillStyle = operation.hasFailed ? theme.wrong : isSync ? theme.sync : theme.operation;
    pen.fillRect(left, top, width, height);
    if (isNamed) {
      pen.strokeStyle = theme.accent;
      pen.lineWidth = 1.5;
      pen.strokeRect(left - 1, top - 1, width + 2, height + 2);
    }
    if (viewport.usPerPixel < 25) {
      pen.font = "9px system-ui";
      write(pen, fit(pen, operation.text, Math.max(width, 60)), left + 1, top + height + 8, theme.textFaint, 9);
    }
    pen.globalAlpha = 1;
  }
}

export function operationBox(
  { viewport, lanes }: Scene, operation: Operation,
): { readonly left: number; readonly top: number; readonly width: number; readonly height: number } {
  const left = viewport.x(operation.at);
  const width = Math.max(1, viewport.x(operation.end) - left);
  return { left, top: lanes.line(operation.lane) + OPERATIONS_AT, width, height: OPERATION_HEIGHT };
}

export function troubleBox(
  { viewport, lanes, model }: Scene, span: Span,
): { readonly left: number; readonly top: number; readonly width: number; readonly height: number } {
  const left = Math.max(viewport.x(span.from), viewport.left);
  const width = Math.min(viewport.x(span.end ?? model.end), viewport.left + viewport.width) - left;
  const line = lanes.line(span.lanes[0]!);
  if (isPause(span)) return { left, top: line - BAR_RADIUS - 2, width, height: 2 * BAR_RADIUS + 4 };
  return { left, top: line + TROUBLE_AT, width, height: TROUBLE_HEIGHT };
}

function isPause({ kind }: Span): boolean {
  return kind === "pause" || kind === "frozenClock";
}

function paintTrouble(pen: Pen, scene: Scene, span: Span): void {
  const lane = span.lanes[0]!;
  if (!scene.lanes.isShown(lane) || scene.lanes.isIdle(lane)) return;
  const { left, top, width, height } = troubleBox(scene, span);
  if (width <= 0) return;
  const { theme } = scene;
  if (isPause(span)) {
    pen.fillStyle = theme.background;
    pen.globalAlpha = 0.55;
    pen.fillRect(left, top, width, height);
    pen.globalAlpha = 1;
    pen.strokeStyle = theme.text;
    pen.lineWidth = 1;
    pen.strokeRect(left, top, width, height);
  } else {
    hatch(pen, left, top, width, height, theme.warning, 5);
  }
  pen.font = "bold 9px system-ui";
  const label = fit(pen, isPause(span) ? `❚❚ ${span.text}` : inWords(span.kind), width - 6);
  if (label === "") return;
  const labelWidth = pen.measureText(label).width + 6;
  pen.fillStyle = theme.laneBackground;
  pen.fillRect(left, top + 0.5, labelWidth, height - 1);
  write(pen, label, left + 3, top + height / 2 + 3.5, theme.text, 9, "bold");
}

/** On top of everything: what befell whom. */
export function paintMoments(pen: Pen, scene: Scene): void {
  const { viewport, lanes, model, theme, filter } = scene;
  const isClose = viewport.usPerPixel < SMALL_SIGNS_US;
  for (const moment of model.moments) {
    const { at, lane, kind } = moment;
    if (lane === null || at < viewport.from || at > viewport.end || !lanes.isShown(lane)) continue;
    const isSmall = !isLoud(moment);
    if (isSmall && !isClose && !(filter.isSearching && filter.findsText(moment.text))) continue;
    drawIcon(pen, theme, kind, viewport.x(at), momentY(scene, lane, isSmall));
  }
}

export function momentY({ lanes }: Scene, lane: number, isSmall: boolean): number {
  return lanes.isNode(lane) && isSmall ? lanes.line(lane) - BAR_RADIUS - 7 : lanes.line(lane);
}
