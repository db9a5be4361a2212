/** The whole run in one strip: phases, who led in which term, what was broken, what was committed; and a brush. */
import { categoryOf, DAMAGE_KINDS } from "./icons.ts";
import { GUTTER, isCut } from "./lanes.ts";
import type { Model } from "./model.ts";
import { cross, fit, hatch, type Pen, type Scene, write } from "./scene.ts";
import { termColour } from "./theme.ts";

export const OVERVIEW_HEIGHT = 98;
const PHASES = { top: 2, height: 15 } as const;
const LEADERS = { top: 20, height: 16 } as const;
const FAULTS = { top: 39, height: 22 } as const;
const CHART = { top: 63, height: 33 } as const;
const BUCKET = 3;

export interface Reign {
  readonly node: number;
  readonly term: number;
  readonly from: number;
  readonly end: number;
}

/** Who led when, in the order of time. */
export function reignsOf(model: Model): Reign[] {
  const reigns: Reign[] = [];
  for (const [node, states] of model.states.entries()) {
    for (const [at, state] of states.entries()) {
      if (state.role !== "leader") continue;
      const end = states[at + 1]?.at ?? model.end;
      const last = reigns.at(-1);
      const goesOn = last?.node === node && last.term === state.term && last.end === state.at;
      if (goesOn) reigns[reigns.length - 1] = { ...last, end };
      else reigns.push({ node, term: state.term, from: state.at, end });
    }
  }
  return reigns.sort((a, b) => a.from - b.from);
}

/** When each entry was first known to be committed. */
function commitTimes(model: Model): number[] {
  const steps = model.states.flat().sort((a, b) => a.at - b.at);
  const times: number[] = [];
  let highest = 0;
  for (const { at, commitIndex } of steps) {
    for (; highest < commitIndex; highest++) times.push(at);
  }
  return times;
}

export class Overview {
  private readonly reigns: readonly Reign[];
  private readonly commits: readonly number[];

  constructor(model: Model) {
    this.reigns = reignsOf(model);
    this.commits = commitTimes(model);
  }

  paint(pen: Pen, scene: Scene, width: number): void {
    const { theme, model } = scene;
    const x = (time: number): number => GUTTER + (time / model.end) * (width - GUTTER - 8);
    pen.fillStyle = theme.background;
    pen.fillRect(0, 0, width, OVERVIEW_HEIGHT);
    this.paintNames(pen, scene);
    paintPhases(pen, scene, x);
    this.paintLeaders(pen, scene, x);
    paintFaults(pen, scene, x);
    this.paintChart(pen, scene, x);
    paintBrush(pen, scene, x, width);
  }

  private paintNames(pen: Pen, { theme }: Scene): void {
    const rows = [["phase", PHASES], ["leader", LEADERS], ["faults", FAULTS], ["commits, packets", CHART]] as const;
    for (const [name, { top, height }] of rows) write(pen, name, 10, top + height / 2 + 4, theme.textFaint, 10.5);
  }

  private paintLeaders(pen: Pen, { theme, model }: Scene, x: (time: number) => number): void {
    const { top, height } = LEADERS;
    hatch(pen, x(0), top, x(model.end) - x(0), height, theme.grid, 5);
    for (const { node, term, from, end } of this.reigns) {
      const width = Math.max(1, x(end) - x(from) - 0.5);
      pen.fillStyle = termColour(theme, term);
      pen.fillRect(x(from), top, width, height);
      pen.font = "bold 10px system-ui";
      const label = fit(pen, `${model.lanes[node]} t${term}`, width - 4);
      const ink = theme.isDark ? "#10141a" : "#ffffff";
      if (!label.includes("…")) write(pen, label, x(from) + 3, top + 11.5, ink, 10, "bold");
    }
  }

  private paintChart(pen: Pen, { theme, model }: Scene, x: (time: number) => number): void {
    const { top, height } = CHART;
    const [left, right] = [x(0), x(model.end)];
    const count = Math.max(1, Math.floor((right - left) / BUCKET));
    const bucket = (time: number): number => Math.min(count - 1, Math.floor((time / model.end) * count));
    const commits = new Float64Array(count);
    const packets = new Float64Array(count);
    for (const time of this.commits) commits[bucket(time)]!++;
    for (const { at } of model.packets) packets[bucket(at)]!++;
    const draw = (values: Float64Array, colour: string): void => {
      const highest = Math.max(1, ...values);
      pen.fillStyle = colour;
      for (const [at, value] of values.entries()) {
        const size = Math.sqrt(value / highest) * height;
        pen.fillRect(left + at * BUCKET, top + height - size, BUCKET - 0.5, size);
      }
    };
    draw(packets, theme.grid);
    draw(commits, theme.outcomes.ok);
  }
}

function paintPhases(pen: Pen, { theme, model }: Scene, x: (time: number) => number): void {
  const phases = model.moments.filter(({ kind }) => kind === "phase");
  for (const [at, phase] of phases.entries()) {
    const end = phases[at + 1]?.at ?? model.end;
    pen.fillStyle = at % 2 === 0 ? theme.laneBackground : theme.grid;
    pen.fillRect(x(phase.at), PHASES.top, x(end) - x(phase.at), PHASES.height);
    pen.font = "10px system-ui";
    write(pen, fit(pen, phase.text, x(end) - x(phase.at) - 6), x(phase.at) + 4, PHASES.top + 11, theme.text, 10);
  }
}

/** Cuts above, what is wrong with disks and processes below, crashes as crosses in between. */
function paintFaults(pen: Pen, { theme, model }: Scene, x: (time: number) => number): void {
  for (const span of model.spans) {
    const top = FAULTS.top + (isCut(span) ? 0 : 16);
    pen.fillStyle = isCut(span) ? theme.wrong : theme.warning;
    pen.globalAlpha = 0.5;
    pen.fillRect(x(span.from), top, Math.max(1.5, x(span.end ?? model.end) - x(span.from)), 5);
    pen.globalAlpha = 1;
  }
  pen.strokeStyle = theme.text;
  pen.lineWidth = 1.4;
  pen.beginPath();
  for (const moment of model.moments) {
    const y = FAULTS.top + 10.5;
    if (DAMAGE_KINDS.has(moment.kind)) {
      pen.fillStyle = theme.warning;
      pen.fillRect(x(moment.at) - 1.5, y - 3.5, 3, 7);
    } else if (categoryOf(moment) === "crash" && moment.kind !== "started") {
      cross(pen, x(moment.at), y, 3);
    }
  }
  pen.stroke();
}

function paintBrush(pen: Pen, scene: Scene, x: (time: number) => number, width: number): void {
  const { viewport, theme, about, model, playhead } = scene;
  const [from, end] = [Math.max(x(viewport.from), GUTTER), Math.min(x(viewport.end), width)];
  pen.fillStyle = theme.background;
  pen.globalAlpha = 0.55;
  pen.fillRect(GUTTER, 0, from - GUTTER, OVERVIEW_HEIGHT);
  pen.fillRect(end, 0, width - end, OVERVIEW_HEIGHT);
  pen.globalAlpha = 1;
  pen.strokeStyle = theme.accent;
  pen.lineWidth = 1.2;
  pen.strokeRect(from, 0.6, Math.max(2, end - from), OVERVIEW_HEIGHT - 1.2);
  pen.fillStyle = theme.accent;
  pen.fillRect(from - 2, OVERVIEW_HEIGHT / 2 - 9, 4, 18);
  pen.fillRect(end - 2, OVERVIEW_HEIGHT / 2 - 9, 4, 18);
  pen.globalAlpha = 0.7;
  pen.fillRect(x(playhead) - 0.5, 0, 1, OVERVIEW_HEIGHT);
  pen.globalAlpha = 1;
  if (about.verdict === "passed") return;
  pen.fillStyle = theme.wrong;
  pen.fillRect(x(model.end) - 1.5, 0, 3, OVERVIEW_HEIGHT);
}
