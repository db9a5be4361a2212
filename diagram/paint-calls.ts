/** What clients asked for, from the call to its return; what belongs to one transaction has one ground. */
import { countUntil, type Call } from "./model.ts";
import { fit, hatch, type Pen, type Scene, write } from "./scene.ts";

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export function callBox({ viewport, lanes, model }: Scene, call: Call): Box {
  const left = viewport.x(call.at);
  const width = Math.max(1.5, viewport.x(call.isOver ? call.end : model.end) - left);
  return { left, top: lanes.callTop(call.lane, call.place), width, height: lanes.callHeight };
}

/** Whether it asks for a change, as far as its words tell. */
export function isWrite({ text }: Call): boolean {
  return !/^(linearizable|session) query/.test(text);
}

export function paintCalls(pen: Pen, scene: Scene): void {
  const { model: { calls }, viewport, lanes, selection, filter } = scene;
  const last = countUntil(calls, viewport.end);
  for (let at = 0; at < last; at++) {
    const call = calls[at]!;
    if ((call.isOver && call.end < viewport.from) || !lanes.isShown(call.lane)) continue;
    const isNamed = selection.isInChain(call) || (filter.isSearching && filter.finds(call));
    const isDimmed = (selection.hasChain || filter.isSearching) && !isNamed;
    pen.globalAlpha = isDimmed ? 0.25 : 1;
    paintCall(pen, scene, call);
    if (isNamed) {
      const { left, top, width, height } = callBox(scene, call);
      pen.strokeStyle = scene.theme.accent;
      pen.lineWidth = 1.5;
      pen.strokeRect(left - 1, top - 1, width + 2, height + 2);
    }
    pen.globalAlpha = 1;
  }
}

function paintCall(pen: Pen, scene: Scene, call: Call): void {
  const { theme } = scene;
  const { left, top, width, height } = callBox(scene, call);
  const colour = theme.outcomes[call.outcome];
  pen.fillStyle = colour;
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  switch (call.outcome) {
    case "ok":
      if (isWrite(call)) pen.fillRect(left, top, width, height);
      else pen.strokeRect(left + 0.5, top + 0.5, Math.max(1, width - 1), height - 1);
      break;
    case "refused":
      pen.strokeRect(left + 0.5, top + 0.5, Math.max(1, width - 1), height - 1);
      pen.beginPath();
      pen.moveTo(left, top + height);
      pen.lineTo(left + Math.min(width, height), top);
      pen.stroke();
      break;
    default:
      hatch(pen, left, top, width, height, colour, 4);
      pen.strokeRect(left + 0.5, top + 0.5, Math.max(1, width - 1), height - 1);
  }
  const from = Math.max(left, scene.viewport.left);
  const visible = left + width - from;
  if (visible < 60) return;
  pen.font = "8px system-ui";
  const isFilled = call.outcome === "ok" && isWrite(call);
  const ink = isFilled ? (theme.isDark ? "#08120e" : "#ffffff") : theme.text;
  write(pen, fit(pen, call.text, visible - 6), from + 3, top + height - 0.5, ink, 7.5);
}
