/** The signs of what happens in a moment: each has a shape of its own, so that none is told by its colour alone. */
import type { Moment } from "../sim/chronicle/format.ts";
import { cross, type Pen, polygon } from "./scene.ts";
import type { Theme } from "./theme.ts";

export const DAMAGE_KINDS: ReadonlySet<string> = new Set([
  "bitRot", "latentError", "misdirectedWrite", "misdirectedRead", "memoryFlip", "diskLoss", "clockSet",
  "permanentFault", "clog",
]);

/** What belongs to what: for filters, jumps and the list. */
export type Category =
  "failure" | "phase" | "election" | "crash" | "network" | "disk" | "operator" | "news" | "client" | "mark"
  | "match";

export function categoryOf({ kind }: Moment): Category {
  switch (kind) {
    case "failure":
    case "phase":
    case "mark":
    case "news":
      return kind;
    case "started":
    case "killed":
    case "powerLoss":
    case "halted":
      return "crash";
    case "clog":
      return "network";
    case "permanentFault":
      return "crash";
    case "clientStarted":
    case "clientDeath":
      return "client";
    case "request":
    case "answer":
      return "operator";
    default:
      return "disk";
  }
}

/** Whether the moment is worth a sign when a whole run is in sight. */
export function isLoud({ kind }: Moment): boolean {
  return kind === "killed" || kind === "powerLoss" || kind === "halted" || kind === "started" || DAMAGE_KINDS.has(kind);
}

const BOLT = [[2, -8], [-5, 1], [-0.5, 1], [-2, 8], [5, -1.5], [0.5, -1.5]] as const;

export function drawIcon(pen: Pen, theme: Theme, kind: string, x: number, y: number): void {
  pen.lineWidth = 2.2;
  pen.strokeStyle = theme.text;
  pen.fillStyle = theme.text;
  switch (kind) {
    case "killed":
    case "clientDeath":
      pen.beginPath();
      cross(pen, x, y, 4.5);
      return pen.stroke();
    case "powerLoss":
      polygon(pen, BOLT.map(([dx, dy]) => [x + dx, y + dy] as const));
      pen.fillStyle = theme.warning;
      pen.lineWidth = 1;
      pen.fill();
      return pen.stroke();
    case "halted":
      return pen.fillRect(x - 4.5, y - 4.5, 9, 9);
    case "started":
    case "clientStarted":
      polygon(pen, [[x - 4, y - 5], [x + 5, y], [x - 4, y + 5]]);
      return pen.fill();
    case "request":
    case "answer":
      pen.beginPath();
      pen.arc(x, y, 4, 0, 7);
      pen.fillStyle = theme.background;
      pen.fill();
      return pen.stroke();
    case "mark":
    case "news":
      pen.beginPath();
      pen.arc(x, y, 2, 0, 7);
      pen.fillStyle = theme.textFaint;
      return pen.fill();
    default:
      polygon(pen, [[x, y - 5.5], [x + 5.5, y], [x, y + 5.5], [x - 5.5, y]]);
      pen.fillStyle = theme.warning;
      pen.fill();
      pen.lineWidth = 1;
      return pen.stroke();
  }
}
