/** The page: reads the run that is written into it, makes its parts, and joins them. */
import type { About } from "../sim/chronicle/about.ts";
import type { Chronicle } from "../sim/chronicle/format.ts";
import { find } from "./elements.ts";
import { storyOf } from "./events.ts";
import { Filter } from "./filter.ts";
import { showHeader } from "./header.ts";
import { nextStop } from "./jumps.ts";
import { listenToKeys } from "./keyboard.ts";
import { Lanes } from "./lanes.ts";
import { Model } from "./model.ts";
import { reignsOf } from "./paint-overview.ts";
import { Panel } from "./panel.ts";
import { Player } from "./player.ts";
import type { Scene } from "./scene.ts";
import { Selection, type Target, timeOf } from "./selection.ts";
import { Stage } from "./stage.ts";
import { themeOf } from "./theme.ts";
import { type Jump, Toolbar } from "./toolbar.ts";
import { Viewport } from "./viewport.ts";

/** How much is shown about something that was jumped to, and about a failure at first. */
const CLOSE_US = 400_000;
const PACKETS_BEFORE_FAILURE = 260;
const CAUSES_OF_FAILURE = 12;

const { about, chronicle } = JSON.parse(find("data").textContent ?? "") as { about: About; chronicle: Chronicle };
const model = new Model(chronicle);
const scene: Scene = {
  about, model, viewport: new Viewport(model.end), lanes: new Lanes(model), filter: new Filter(model),
  selection: new Selection(model), theme: themeOf(matchMedia("(prefers-color-scheme: dark)").matches), playhead: 0,
};
const { viewport, filter, selection } = scene;
const story = storyOf(model);
showHeader(about);
const player = new Player(scene);

const controls = {
  play: () => player.toggle(),
  fit: () => viewport.fit(),
  zoom: (factor: number) => {
    const isInSight = scene.playhead >= viewport.from && scene.playhead <= viewport.end;
    viewport.zoom(factor, isInSight ? scene.playhead : (viewport.from + viewport.end) / 2);
  },
  jump: (to: Jump, isBack: boolean) => {
    const stop = nextStop(scene, story, panel.events, to, isBack);
    if (stop === null) return;
    player.moveTo(stop.at);
    if (stop.target !== null) selection.pin(stop.target);
    if (to === "failure") return showFailure();
    const isFar = viewport.end - viewport.from > 4 * CLOSE_US;
    viewport.reveal(stop.at, isFar ? CLOSE_US : null);
  },
  changeTheme: () => showTheme(!scene.theme.isDark),
  setSpeed: (speed: number) => {
    player.speed = speed;
  },
};
const toolbar = new Toolbar(scene, controls);
const panel = new Panel(scene, story);
const stage = new Stage(scene);

function showTheme(isDark: boolean): void {
  scene.theme = themeOf(isDark);
  document.documentElement.dataset["theme"] = isDark ? "dark" : "light";
  stage.repaint();
}

/** The failure and what has led to it, as far as that fills the view. */
function showFailure(): void {
  const { failureCause, end } = model;
  const causes = failureCause === null ? [] : [failureCause, ...model.causesOf(failureCause)];
  const from = causes[Math.min(causes.length, CAUSES_OF_FAILURE) - 1]?.at ?? end - CLOSE_US;
  const margin = Math.max((end - from) * 0.08, 200);
  viewport.glideTo(from - margin, end + margin);
}

function choose(target: Target | null, time: number): void {
  selection.pin(target);
  player.moveTo(target === null ? time : timeOf(target));
}

viewport.onChange = () => stage.repaint();
selection.onChange = () => {
  panel.showPinned();
  stage.repaint();
};
filter.onChange = () => {
  toolbar.show();
  panel.filter();
  stage.resize();
};
player.onChange = () => {
  toolbar.showPlaying(player.isPlaying);
  panel.follow();
  stage.repaint();
};
stage.onClick = choose;
stage.onScrub = (time) => player.moveTo(time);
panel.onChoose = ({ at, target }) => {
  choose(target, at);
  player.moveTo(at);
  viewport.reveal(at, viewport.end - viewport.from > 4 * CLOSE_US ? CLOSE_US : null);
};
panel.onChooseLink = (link) => {
  choose({ type: "link", link }, link.at);
  viewport.reveal(link.at);
};
listenToKeys({
  ...controls,
  pan: (part) => viewport.pan(part),
  move: (pixels) => player.moveTo(scene.playhead + pixels * viewport.usPerPixel),
  toEdge: (isEnd) => player.moveTo(isEnd ? model.end : 0),
  search: () => toolbar.search.focus(),
  escape: () => selection.pin(null),
});

showTheme(scene.theme.isDark);
player.moveTo(about.verdict === "passed" ? (reignsOf(model)[0]?.from ?? 0) : model.end);
if (about.verdict !== "passed") {
  const first = model.packets.at(-PACKETS_BEFORE_FAILURE)?.at ?? 0;
  viewport.show(Math.max(first, model.end - 4 * CLOSE_US), model.end + (model.end - first) * 0.03);
}
// For tests, and for the curious at the console.
Object.assign(globalThis, { diagram: { scene, story } });
