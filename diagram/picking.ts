/** What is under a point of the screen: the nearest sign, bar or line, small things before large ones. */
import { isLoud } from "./icons.ts";
import { BAR_RADIUS, isCut } from "./lanes.ts";
import { type Box, callBox } from "./paint-calls.ts";
import { cutBox } from "./paint-frame.ts";
import { momentY, operationBox, troubleBox } from "./paint-lanes.ts";
import { type Line, lineOf, visiblePackets } from "./paint-packets.ts";
import type { Scene } from "./scene.ts";
import type { Target } from "./selection.ts";

const REACH = 6;

export function pick(scene: Scene, x: number, y: number): Target | null {
  const { viewport } = scene;
  if (x < viewport.left || x > viewport.left + viewport.width) return null;
  return pickMoment(scene, x, y) ?? pickSpan(scene, x, y) ?? pickCall(scene, x, y)
    ?? pickPacket(scene, x, y) ?? pickOperation(scene, x, y) ?? pickNode(scene, x, y);
}

function pickMoment(scene: Scene, x: number, y: number): Target | null {
  const { model, viewport, lanes, filter } = scene;
  const isClose = viewport.usPerPixel < 12_000;
  let best: Target | null = null;
  let nearest = REACH + 1;
  for (const moment of model.moments) {
    const { lane, at } = moment;
    if (lane === null || at < viewport.from || at > viewport.end || !lanes.isShown(lane)) continue;
    const isSmall = !isLoud(moment);
    if (isSmall && !isClose && !(filter.isSearching && filter.findsText(moment.text))) continue;
    const distance = Math.hypot(viewport.x(at) - x, momentY(scene, lane, isSmall) - y);
    // The later of two that stand in one place: it was painted over the other.
    if (distance <= nearest) [best, nearest] = [{ type: "moment", moment }, distance];
  }
  return best;
}

function pickSpan(scene: Scene, x: number, y: number): Target | null {
  const found = scene.model.spans.findLast((span) => {
    const lane = span.lanes[0]!;
    if (!isCut(span) && (!scene.lanes.isShown(lane) || scene.lanes.isIdle(lane))) return false;
    return isInside(isCut(span) ? cutBox(scene, span) : troubleBox(scene, span), x, y, 1);
  });
  return found === undefined ? null : { type: "span", span: found };
}

function pickCall(scene: Scene, x: number, y: number): Target | null {
  const { model: { calls }, lanes } = scene;
  const found = calls.findLast((call) => lanes.isShown(call.lane) && isInside(callBox(scene, call), x, y, 2));
  return found === undefined ? null : { type: "link", link: found };
}

function pickOperation(scene: Scene, x: number, y: number): Target | null {
  const { model: { operations }, lanes, filter, viewport } = scene;
  if (!filter.showsDisks || viewport.usPerPixel > 20_000) return null;
  const found = operations.findLast((operation) => {
    return lanes.isShown(operation.lane) && isInside(operationBox(scene, operation), x, y, 2);
  });
  return found === undefined ? null : { type: "link", link: found };
}

function pickPacket(scene: Scene, x: number, y: number): Target | null {
  let best: Target | null = null;
  let nearest = REACH;
  const { selection } = scene;
  for (const packet of visiblePackets(scene)) {
    const distance = distanceTo(lineOf(scene, packet), x, y);
    if (distance > nearest || (selection.hasChain && !selection.isInChain(packet) && distance > 2)) continue;
    [best, nearest] = [{ type: "link", link: packet }, distance];
  }
  return best;
}

function pickNode(scene: Scene, x: number, y: number): Target | null {
  const lane = scene.lanes.at(y);
  if (lane === null || !scene.lanes.isNode(lane) || Math.abs(y - scene.lanes.line(lane)) > BAR_RADIUS) return null;
  return { type: "node", node: lane, at: Math.round(scene.viewport.time(x)) };
}

function isInside({ left, top, width, height }: Box, x: number, y: number, slack: number): boolean {
  return width > 0 && x >= left - slack && x <= left + width + slack && y >= top - slack && y <= top + height + slack;
}

function distanceTo({ x1, y1, x2, y2 }: Line, x: number, y: number): number {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1);
  const part = Math.min(1, Math.max(0, along));
  return Math.hypot(x1 + part * dx - x, y1 + part * dy - y);
}
