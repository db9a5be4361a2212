/** What keys do, where nothing is being written. */
import type { Controls, Jump } from "./toolbar.ts";

export interface KeyTargets extends Controls {
  readonly pan: (part: number) => void;
  readonly move: (pixels: number) => void;
  readonly toEdge: (isEnd: boolean) => void;
  readonly search: () => void;
  readonly escape: () => void;
}

const JUMPS: Readonly<Record<string, Jump>> = {
  e: "election", c: "crash", x: "cut", n: "event", f: "failure", m: "match",
};

export function listenToKeys(targets: KeyTargets): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    if (press(targets, event.key, event.shiftKey)) event.preventDefault();
  });
}

/** False: the key means nothing here. */
function press(targets: KeyTargets, key: string, isShift: boolean): boolean {
  const jump = JUMPS[key.toLowerCase()];
  if (jump !== undefined) {
    targets.jump(jump, isShift);
    return true;
  }
  const acts: Readonly<Record<string, () => void>> = {
    "ArrowLeft": () => targets.pan(isShift ? -0.8 : -0.15), "ArrowRight": () => targets.pan(isShift ? 0.8 : 0.15),
    "+": () => targets.zoom(1 / 1.6), "=": () => targets.zoom(1 / 1.6), "-": () => targets.zoom(1.6), "0": targets.fit,
    ",": () => targets.move(-4), ".": () => targets.move(4), " ": targets.play, "d": targets.changeTheme,
    "Home": () => targets.toEdge(false), "End": () => targets.toEdge(true), "/": targets.search,
    "Escape": targets.escape,
  };
  acts[key]?.();
  return key in acts;
}
