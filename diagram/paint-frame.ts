/** What surrounds the lanes: the axis, cuts in the network, phases, the margin with each node's state, the failure. */
import type { Span } from "../sim/chronicle/format.ts";
import { inWords } from "./kinds.ts";
import { AXIS_HEIGHT, GUTTER, isCut } from "./lanes.ts";
import { fit, hatch, type Pen, type Scene, write } from "./scene.ts";
import { termColour } from "./theme.ts";
import { formatTime } from "./viewport.ts";

const STEPS = [1, 2, 5] as const;
const MIN_TICK = 90;

export function paintGrid(pen: Pen, scene: Scene): void {
  const { viewport, lanes, theme, model } = scene;
  const step = tickStep(viewport.usPerPixel * MIN_TICK);
  pen.fillStyle = theme.grid;
  for (let time = Math.ceil(viewport.from / step) * step; time <= viewport.end; time += step) {
    const x = viewport.x(time);
    pen.fillStyle = theme.grid;
    pen.fillRect(x, AXIS_HEIGHT - 4, 1, lanes.bottom - AXIS_HEIGHT + 4);
    write(pen, formatTime(time, step), x + 3, 13, theme.textFaint, 10.5);
  }
  for (const { kind, at } of model.moments) {
    if (kind !== "phase" || at < viewport.from || at > viewport.end) continue;
    pen.strokeStyle = theme.textFaint;
    pen.lineWidth = 1;
    pen.setLineDash([6, 4]);
    pen.beginPath();
    pen.moveTo(viewport.x(at), AXIS_HEIGHT - 6);
    pen.lineTo(viewport.x(at), lanes.bottom);
    pen.stroke();
    pen.setLineDash([]);
  }
  if (model.detailFrom > viewport.from) {
    const width = Math.min(viewport.x(model.detailFrom), viewport.left + viewport.width) - viewport.left;
    hatch(pen, viewport.left, lanes.nodesTop, width, lanes.bottom - lanes.nodesTop, theme.grid, 10);
  }
}

export function tickStep(atLeast: number): number {
  for (let power = 1; ; power *= 10) for (const step of STEPS) if (step * power >= atLeast) return step * power;
}

export function cutBox(
  { viewport, lanes, model }: Scene, cut: Span,
): { readonly left: number; readonly top: number; readonly width: number; readonly height: number } {
  const left = Math.max(viewport.x(cut.from), viewport.left);
  const right = Math.min(viewport.x(cut.end ?? model.end), viewport.left + viewport.width);
  return { left, width: right - left, ...lanes.cutRow(cut) };
}

const SIDES = ["sources", "targets"] as const;

export function paintCuts(pen: Pen, scene: Scene): void {
  const { model, lanes, theme, selection } = scene;
  for (const cut of model.spans.filter(isCut)) {
    const { left, top, width, height } = cutBox(scene, cut);
    if (width <= 0) continue;
    pen.fillStyle = theme.wrong;
    pen.globalAlpha = 0.05;
    pen.fillRect(left, lanes.nodesTop, width, lanes.bottom - lanes.nodesTop);
    pen.globalAlpha = 0.22;
    pen.fillRect(left, top, width, height);
    pen.globalAlpha = 1;
    pen.fillRect(left, top, Math.min(3, width), height);
    pen.font = "bold 10px system-ui";
    write(pen, fit(pen, `${inWords(cut.kind)}:  ${cut.text}`, width - 10), left + 6, top + 9.5, theme.text, 10, "bold");
    const isMeant = [selection.hovered, selection.pinned].some((one) => one?.type === "span" && one.span === cut);
    paintSides(pen, scene, cut, isMeant);
  }
}

/** Which lanes are on which side: a solid line, and a broken one. */
function paintSides(pen: Pen, scene: Scene, cut: Span, isMeant: boolean): void {
  const { lanes, theme } = scene;
  const { left, width } = cutBox(scene, cut);
  for (const side of SIDES) {
    for (const lane of side === "sources" ? cut.lanes : cut.others) {
      if (!lanes.isShown(lane)) continue;
      const y = lanes.top(lane) + 3;
      pen.strokeStyle = theme.wrong;
      pen.lineWidth = isMeant ? 4 : 2;
      pen.setLineDash(side === "sources" ? [] : [3, 4]);
      pen.globalAlpha = isMeant ? 1 : 0.55;
      pen.beginPath();
      pen.moveTo(left, y);
      pen.lineTo(left + width, y);
      pen.stroke();
      pen.setLineDash([]);
      pen.globalAlpha = 1;
    }
  }
}

export function paintFailure(pen: Pen, scene: Scene): void {
  const { about, model, viewport, lanes, theme } = scene;
  const x = viewport.x(model.end);
  if (about.verdict === "passed" || x < viewport.left || x > viewport.left + viewport.width + 2) return;
  pen.fillStyle = theme.wrong;
  pen.fillRect(x - 1.5, 0, 3, lanes.bottom);
  pen.font = "bold 12px system-ui";
  const label = `✖ ${about.oracle}${about.index === null ? "" : ` at index ${about.index}`}`;
  const width = pen.measureText(label).width + 14;
  pen.fillRect(x - width, 0, width, 20);
  write(pen, label, x - width + 7, 14.5, "#ffffff", 12, "bold");
  for (const name of about.nodes) {
    const lane = model.lanes.indexOf(name);
    if (lane < 0 || !lanes.isShown(lane)) continue;
    pen.strokeStyle = theme.wrong;
    pen.lineWidth = 3;
    pen.beginPath();
    pen.arc(x, lanes.line(lane), 12, 0, 7);
    pen.stroke();
  }
}

export function paintPlayhead(pen: Pen, scene: Scene): void {
  const { viewport, lanes, theme, playhead } = scene;
  const x = viewport.x(playhead);
  if (x < viewport.left || x > viewport.left + viewport.width) return;
  pen.fillStyle = theme.accent;
  pen.fillRect(x - 0.5, 16, 1, lanes.bottom - 16);
  pen.beginPath();
  pen.moveTo(x - 6, 15);
  pen.lineTo(x + 6, 15);
  pen.lineTo(x, 24);
  pen.fill();
}

/** Whose lane it is, and what its node is at the playhead. */
export function paintMargin(pen: Pen, scene: Scene): void {
  const { model, lanes, theme, about, playhead } = scene;
  pen.fillStyle = theme.background;
  pen.fillRect(0, 0, GUTTER, lanes.bottom + 4);
  pen.font = "10.5px system-ui";
  write(pen, `at ${formatTime(playhead, 1)}`, 10, 14, theme.textFaint, 10.5);
  for (const [lane, name] of model.lanes.entries()) {
    if (!lanes.isShown(lane)) continue;
    const y = lanes.line(lane);
    const isWrong = about.nodes.includes(name);
    if (!lanes.isNode(lane)) {
      write(pen, name, 10, y + 4, theme.textFaint, 11);
      continue;
    }
    if (lanes.isIdle(lane)) {
      write(pen, name, 12, y + 4, theme.textFaint, 13, "bold");
      write(pen, "never runs", 34, y + 4, theme.textFaint, 11);
      continue;
    }
    const state = model.stateAt(lane, playhead);
    const isDown = state.role === "down";
    pen.fillStyle = isWrong ? theme.wrong : isDown ? theme.faint : termColour(theme, state.term);
    pen.fillRect(0, lanes.top(lane) + 1, 4, lanes.height(lane) - 3);
    write(pen, isWrong ? `✖ ${name}` : name, 12, y + 1, isWrong ? theme.wrong : theme.text, 15, "bold");
    const role = isDown ? "down" : state.role === "starting" ? "starting" : `${state.role} t${state.term}`;
    const weight = state.role === "leader" ? "bold" : "normal";
    write(pen, role, isWrong ? 46 : 34, y + 1, isDown ? theme.textFaint : theme.text, 11.5, weight);
    if (state.term === 0) continue;
    write(pen, `commit ${state.commitIndex} · last ${state.lastIndex}`, 12, y + 16, theme.textFaint, 10.5);
    if (lanes.height(lane) < 66) continue;
    const behind = state.lastApplied < state.commitIndex ? `applied ${state.lastApplied}` : "all applied";
    const log = state.baseIndex > 0 ? ` · log from ${state.baseIndex + 1}` : "";
    write(pen, `${behind}${log}`, 12, y + 30, theme.textFaint, 10);
  }
}
