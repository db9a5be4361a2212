/** The two canvases: sizes, one repaint a frame whatever has changed, and what pointers do to them. */
import { detailsOf } from "./details.ts";
import { element, find } from "./elements.ts";
import { AXIS_HEIGHT, GUTTER } from "./lanes.ts";
import { paintCalls } from "./paint-calls.ts";
import { paintCuts, paintFailure, paintGrid, paintMargin, paintPlayhead } from "./paint-frame.ts";
import { paintLanes, paintMoments, paintNodes } from "./paint-lanes.ts";
import { Overview, OVERVIEW_HEIGHT } from "./paint-overview.ts";
import { paintPackets } from "./paint-packets.ts";
import { pick } from "./picking.ts";
import type { Pen, Scene } from "./scene.ts";
import type { Target } from "./selection.ts";

const RIGHT_MARGIN = 10;
/** A press that moves less than this is a click. */
const CLICK_REACH = 4;

export class Stage {
  private readonly scene: Scene;
  private readonly overview: Overview;
  private readonly pens: { readonly main: Pen; readonly overview: Pen };
  private readonly box = find("stage");
  private readonly tip = find("tip");
  private isAsked = false;
  /** Told of a click: what is under it, and the time. */
  onClick: (target: Target | null, time: number) => void = () => undefined;
  onScrub: (time: number) => void = () => undefined;

  constructor(scene: Scene) {
    this.scene = scene;
    this.overview = new Overview(scene.model);
    this.pens = { main: penOf("main"), overview: penOf("overview") };
    new ResizeObserver(() => this.resize()).observe(this.box);
    this.listenToMain();
    this.listenToOverview();
    this.resize();
  }

  /** Asks for a repaint with the next frame. */
  repaint(): void {
    if (this.isAsked) return;
    this.isAsked = true;
    requestAnimationFrame(() => {
      this.isAsked = false;
      this.paint();
    });
  }

  resize(): void {
    const { viewport, lanes, filter } = this.scene;
    const width = this.box.clientWidth;
    viewport.left = GUTTER;
    viewport.width = Math.max(100, width - GUTTER - RIGHT_MARGIN);
    lanes.arrange(this.box.clientHeight, (lane) => filter.showsLane(lane));
    setSize(this.pens.main, width, Math.max(lanes.bottom + 6, this.box.clientHeight - 4));
    setSize(this.pens.overview, width, OVERVIEW_HEIGHT);
    this.repaint();
  }

  private paint(): void {
    const { scene, scene: { theme, viewport }, pens: { main } } = this;
    const { canvas } = main;
    main.fillStyle = theme.background;
    main.fillRect(0, 0, canvas.width, canvas.height);
    main.save();
    main.beginPath();
    main.rect(viewport.left, 0, viewport.width + RIGHT_MARGIN, canvas.height);
    main.clip();
    paintLanes(main, scene);
    paintGrid(main, scene);
    paintCuts(main, scene);
    canvas.dataset["packets"] = String(paintPackets(main, scene));
    paintNodes(main, scene);
    paintCalls(main, scene);
    paintMoments(main, scene);
    paintFailure(main, scene);
    paintPlayhead(main, scene);
    main.restore();
    paintMargin(main, scene);
    this.overview.paint(this.pens.overview, scene, this.box.clientWidth);
  }

  private listenToMain(): void {
    const { canvas } = this.pens.main;
    const { viewport } = this.scene;
    let drag: { x: number; from: number; end: number; isScrub: boolean; hasMoved: boolean } | null = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      const isScrub = event.offsetY < AXIS_HEIGHT;
      drag = { x: event.offsetX, from: viewport.from, end: viewport.end, isScrub, hasMoved: false };
      if (isScrub) this.onScrub(viewport.time(event.offsetX));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (drag === null) return this.hover(event);
      if (Math.abs(event.offsetX - drag.x) > CLICK_REACH) drag.hasMoved = true;
      if (drag.isScrub) return this.onScrub(viewport.time(event.offsetX));
      const by = ((drag.x - event.offsetX) / viewport.width) * (drag.end - drag.from);
      if (drag.hasMoved) viewport.show(drag.from + by, drag.end + by);
    });
    canvas.addEventListener("pointerup", (event) => {
      const isClick = drag !== null && !drag.hasMoved && !drag.isScrub;
      drag = null;
      if (isClick) this.onClick(pick(this.scene, event.offsetX, event.offsetY), viewport.time(event.offsetX));
    });
    canvas.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
      this.scene.selection.hover(null);
    });
    canvas.addEventListener("dblclick", (event) => viewport.zoom(0.3, viewport.time(event.offsetX)));
    canvas.addEventListener("wheel", (event) => {
      const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
      event.preventDefault();
      if (isSideways) viewport.pan((event.deltaX + event.deltaY) / 800);
      else viewport.zoom(2 ** (event.deltaY / 260), viewport.time(Math.max(event.offsetX, GUTTER)));
    }, { passive: false });
  }

  private hover(event: PointerEvent): void {
    const { scene, tip } = this;
    const target = pick(scene, event.offsetX, event.offsetY);
    scene.selection.hover(target);
    this.pens.main.canvas.style.cursor = target === null ? "default" : "pointer";
    tip.hidden = target === null;
    if (target === null) return;
    const { title, rows } = detailsOf(scene.model, target);
    tip.replaceChildren(element("h2", "", title));
    for (const [name, value] of rows.filter(([, text]) => text !== "")) {
      const row = element("p");
      if (name !== "") row.append(element("b", "", name));
      row.append(value);
      tip.append(row);
    }
    const [left, top] = [event.clientX + 16, event.clientY + 16];
    tip.style.left = `${Math.max(4, Math.min(left, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${top + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 12 : top}px`;
  }

  /** A drag within the brush moves it, at an edge it changes its size, elsewhere it draws a new one. */
  private listenToOverview(): void {
    const { canvas } = this.pens.overview;
    const { viewport, model } = this.scene;
    const timeAt = (x: number): number => ((x - GUTTER) / (this.box.clientWidth - GUTTER - 8)) * model.end;
    const edge = (): number => timeAt(GUTTER + 7);
    let drag: ((time: number) => void) | null = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      const begun = timeAt(event.offsetX);
      const { from, end } = viewport;
      if (Math.abs(begun - from) < edge()) drag = (time) => viewport.show(Math.min(time, end - 1), end);
      else if (Math.abs(begun - end) < edge()) drag = (time) => viewport.show(from, Math.max(time, from + 1));
      else if (begun > from && begun < end && end - from < model.end * 0.9) {
        drag = (time) => viewport.show(from + time - begun, end + time - begun);
      } else drag = (time) => viewport.show(Math.min(begun, time), Math.max(begun, time));
    });
    canvas.addEventListener("pointermove", (event) => drag?.(timeAt(event.offsetX)));
    canvas.addEventListener("pointerup", (event) => {
      drag = null;
      this.onScrub(Math.min(Math.max(timeAt(event.offsetX), 0), model.end));
    });
    canvas.addEventListener("dblclick", () => viewport.fit());
  }
}

function penOf(id: string): Pen {
  const pen = (find(id) as HTMLCanvasElement).getContext("2d");
  if (pen === null) throw new Error("this browser draws no canvas");
  return pen;
}

/** In pixels of the page: the canvas has as many as the screen shows. */
function setSize(pen: Pen, width: number, height: number): void {
  const { canvas } = pen;
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
}
