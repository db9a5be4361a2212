/** All that a painter needs to know, and the marks that several of them draw. */
import type { Filter } from "./filter.ts";
import type { Lanes } from "./lanes.ts";
import type { Model } from "./model.ts";
import type { Selection } from "./selection.ts";
import type { Theme } from "./theme.ts";
import type { Viewport } from "./viewport.ts";
import type { About } from "../sim/chronicle/about.ts";

export interface Scene {
  readonly about: About;
  readonly model: Model;
  readonly viewport: Viewport;
  readonly lanes: Lanes;
  readonly filter: Filter;
  readonly selection: Selection;
  theme: Theme;
  /** The time that the state in the margin is of. */
  playhead: number;
}

export type Pen = CanvasRenderingContext2D;

export const FONT = "system-ui, -apple-system, 'Segoe UI', sans-serif";

export function write(
  pen: Pen, text: string, x: number, y: number, colour: string, size: number, weight: "normal" | "bold" = "normal",
): void {
  pen.font = `${weight} ${size}px ${FONT}`;
  pen.fillStyle = colour;
  pen.fillText(text, x, y);
}

/** Cut short to what fits; empty: nothing does. */
export function fit(pen: Pen, text: string, width: number): string {
  if (width < 12) return "";
  if (pen.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 1 && pen.measureText(`${text.slice(0, end)}…`).width > width) end = Math.floor(end * 0.85);
  return end > 1 ? `${text.slice(0, end)}…` : "";
}

/** Slanted lines, for what is not as it should be. */
export function hatch(pen: Pen, x: number, y: number, width: number, height: number, colour: string, gap = 6): void {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, width, height);
  pen.clip();
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  pen.beginPath();
  // From a multiple of the gap, so that lines stand still while the view moves within them.
  for (let at = Math.floor((x - height) / gap) * gap; at < x + width; at += gap) {
    pen.moveTo(at, y + height);
    pen.lineTo(at + height, y);
  }
  pen.stroke();
  pen.restore();
}

export function cross(pen: CanvasPath, x: number, y: number, radius: number): void {
  pen.moveTo(x - radius, y - radius);
  pen.lineTo(x + radius, y + radius);
  pen.moveTo(x - radius, y + radius);
  pen.lineTo(x + radius, y - radius);
}

export function polygon(pen: Pen, points: readonly (readonly [number, number])[]): void {
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(x, y);
  pen.closePath();
}
