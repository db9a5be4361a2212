/** Packets as lines from lane to lane: many of one kind in one stroke, few of them with arrowheads and words. */
import { type PacketKind, shortText } from "./kinds.ts";
import { BAR_RADIUS } from "./lanes.ts";
import { countUntil, type Packet } from "./model.ts";
import { cross, FONT, type Pen, type Scene } from "./scene.ts";

/** What gives way where there are too many. */
const LOUDNESS: Readonly<Record<PacketKind, number>> = {
  append: 1, appendReply: 0.6, heartbeat: 0.5, vote: 2, snapshot: 2, read: 0.8, other: 1, request: 0.4, answer: 0.3,
};
const MAX_HEADS = 1500;
const MAX_WORDS = 90;
/** How far a packet comes that is lost. */
const LOST_PART = 0.35;

export interface Line {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
}

/** Those that are in sight, in the order of time. */
export function visiblePackets(scene: Scene): Packet[] {
  const { model: { packets }, viewport: { from, end }, filter } = scene;
  const last = countUntil(packets, end);
  const found: Packet[] = [];
  for (let at = 0; at < last; at++) {
    const packet = packets[at]!;
    if (packet.end >= from && filter.shows(packet)) found.push(packet);
  }
  return found;
}

export function lineOf({ viewport, lanes }: Scene, { at, end, from, to, fate }: Packet): Line {
  const [source, target] = [lanes.line(from), lanes.line(to)];
  const down = target > source ? 1 : -1;
  const edge = (lane: number): number => (lanes.isNode(lane) ? BAR_RADIUS : lanes.height(lane) / 2 - 2);
  const line = {
    x1: viewport.x(at), y1: source + down * edge(from),
    x2: viewport.x(end), y2: target - down * edge(to),
  };
  if (fate !== "lost" && fate !== "cut") return line;
  const part = fate === "cut" ? Math.min(LOST_PART, 14 / Math.abs(line.y2 - line.y1)) : LOST_PART;
  return { ...line, x2: line.x1 + (fate === "cut" ? 3 : 8), y2: line.y1 + (line.y2 - line.y1) * part };
}

export function paintPackets(pen: Pen, scene: Scene): number {
  const packets = visiblePackets(scene);
  const { selection, filter, viewport } = scene;
  const isDimmed = (packet: Packet): boolean =>
    selection.hasChain ? !selection.isInChain(packet) : filter.isSearching && !filter.finds(packet);
  const bright = packets.filter((packet) => !isDimmed(packet));
  const density = packets.length / viewport.width;
  const alpha = Math.min(1, Math.max(0.1, 1 / Math.max(density, 1)));
  if (bright.length < packets.length) stroke(pen, scene, packets.filter(isDimmed), alpha * 0.16);
  stroke(pen, scene, bright, bright.length < packets.length ? 1 : alpha);
  strokeStopped(pen, scene, bright, alpha);
  if (bright.length <= MAX_HEADS) for (const packet of bright) paintHead(pen, scene, packet);
  if (bright.length <= MAX_WORDS) for (const packet of bright) paintWords(pen, scene, packet);
  return packets.length;
}

function hasArrived({ fate }: Packet): boolean {
  return fate === "arrived" || fate === "underWay";
}

function stroke(pen: Pen, scene: Scene, packets: readonly Packet[], alpha: number): void {
  const { theme, selection } = scene;
  const paths = new Map<string, Path2D>();
  for (const packet of packets) {
    if (!hasArrived(packet)) continue;
    const name = packet.isCopy ? `${packet.kind} copy` : packet.kind;
    let path = paths.get(name);
    if (path === undefined) paths.set(name, (path = new Path2D()));
    const { x1, y1, x2, y2 } = lineOf(scene, packet);
    path.moveTo(x1, y1);
    path.lineTo(x2, y2);
  }
  for (const [name, path] of paths) {
    const kind = name.replace(" copy", "") as Packet["kind"];
    pen.globalAlpha = alpha < 1 ? alpha * LOUDNESS[kind] : alpha;
    pen.strokeStyle = theme.packets[kind];
    pen.lineWidth = selection.hasChain && alpha === 1 ? 2.4 : kind === "vote" || kind === "snapshot" ? 1.8 : 1.1;
    pen.setLineDash(name.endsWith("copy") ? [1.5, 3] : []);
    pen.stroke(path);
  }
  pen.setLineDash([]);
  pen.globalAlpha = 1;
}

/** What did not arrive: a stub with a cross, or a line to where nobody was. */
function strokeStopped(pen: Pen, scene: Scene, packets: readonly Packet[], alpha: number): void {
  const { theme } = scene;
  const [stubs, crosses, unheard] = [new Path2D(), new Path2D(), new Path2D()];
  for (const packet of packets) {
    if (hasArrived(packet)) continue;
    const { x1, y1, x2, y2 } = lineOf(scene, packet);
    const path = packet.fate === "unheard" ? unheard : stubs;
    path.moveTo(x1, y1);
    path.lineTo(x2, y2);
    if (packet.fate === "unheard" && alpha > 0.5) {
      path.moveTo(x2 + 3, y2);
      path.arc(x2, y2, 3, 0, 7);
    } else if (packet.fate !== "unheard") {
      cross(crosses, x2, y2, packet.fate === "cut" ? 2.2 : 3.2);
    }
  }
  pen.globalAlpha = Math.max(alpha, 0.3);
  pen.strokeStyle = theme.wrong;
  pen.lineWidth = 1;
  pen.stroke(stubs);
  pen.lineWidth = 1.6;
  pen.stroke(crosses);
  // Nobody there is no fault of the network: it is as loud as a packet.
  pen.strokeStyle = theme.textFaint;
  pen.globalAlpha = Math.min(0.7, alpha * 0.6);
  pen.lineWidth = 1;
  pen.setLineDash([4, 3]);
  pen.stroke(unheard);
  pen.setLineDash([]);
  pen.globalAlpha = 1;
}

function paintHead(pen: Pen, scene: Scene, packet: Packet): void {
  if (packet.fate !== "arrived") return;
  const { x1, y1, x2, y2 } = lineOf(scene, packet);
  const length = Math.hypot(x2 - x1, y2 - y1);
  const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
  const size = scene.selection.isInChain(packet) ? 8 : 5;
  pen.fillStyle = scene.theme.packets[packet.kind];
  pen.beginPath();
  pen.moveTo(x2, y2);
  pen.lineTo(x2 - size * ux - size * 0.45 * uy, y2 - size * uy + size * 0.45 * ux);
  pen.lineTo(x2 - size * ux + size * 0.45 * uy, y2 - size * uy - size * 0.45 * ux);
  pen.fill();
}

function paintWords(pen: Pen, scene: Scene, packet: Packet): void {
  const { x1, y1, x2, y2 } = lineOf(scene, packet);
  if (packet.kind === "heartbeat" && !scene.selection.isInChain(packet)) return;
  const [x, y] = [x1 + (x2 - x1) * 0.28, y1 + (y2 - y1) * 0.28];
  const text = shortText(packet.text);
  pen.font = `10px ${FONT}`;
  pen.lineWidth = 3;
  pen.strokeStyle = scene.theme.laneBackground;
  pen.strokeText(text, x + 4, y + 3);
  pen.fillStyle = scene.theme.text;
  pen.fillText(text, x + 4, y + 3);
}
