/** The row of controls: play, zoom, jumps, what is shown, what is looked for. */
import { button, chip, type Chip, element, find } from "./elements.ts";
import { KIND_NAMES, PACKET_KINDS } from "./kinds.ts";
import type { Scene } from "./scene.ts";

export interface Controls {
  readonly play: () => void;
  readonly fit: () => void;
  readonly zoom: (factor: number) => void;
  /** To the next, or previous, event of that kind. */
  readonly jump: (to: Jump, isBack: boolean) => void;
  readonly changeTheme: () => void;
  readonly setSpeed: (speed: number) => void;
}

export const JUMPS = ["election", "crash", "cut", "event"] as const;
export type Jump = (typeof JUMPS)[number] | "failure" | "match";

/** Simulated time by time on the wall. */
export const SPEEDS = [0.01, 0.1, 0.5, 1, 5] as const;

export class Toolbar {
  private readonly scene: Scene;
  private readonly chips: Chip[] = [];
  private readonly playButton: HTMLButtonElement;
  readonly search = element("input");

  constructor(scene: Scene, controls: Controls) {
    this.scene = scene;
    const actions = find("actions");
    this.playButton = button("▶", "play (space)", controls.play);
    this.playButton.id = "play";
    const speed = element("select");
    speed.title = "simulated time by time on the wall";
    for (const one of SPEEDS) speed.append(new Option(`${one}×`, String(one), one === 0.1, one === 0.1));
    speed.addEventListener("change", () => controls.setSpeed(Number(speed.value)));
    actions.append(
      this.playButton, speed, button("−", "zoom out (-)", () => controls.zoom(1.6)),
      button("+", "zoom in (+)", () => controls.zoom(1 / 1.6)), button("whole", "the whole run (0)", controls.fit),
    );
    actions.append(element("span", "label", "next"));
    for (const jump of JUMPS) {
      const key = jump === "cut" ? "x" : jump === "event" ? "n" : jump[0];
      const title = `the next ${jump} (${key}; with shift: the one before)`;
      const made = button(jump, title, () => controls.jump(jump, false));
      made.dataset["jump"] = jump;
      actions.append(made);
    }
    if (scene.about.verdict !== "passed") {
      const made = button("✖ failure", "what went wrong (f)", () => controls.jump("failure", false));
      made.className = "wrong";
      made.dataset["jump"] = "failure";
      actions.append(made);
    }
    this.addSearch(controls);
    find("tools").append(button("◐", "light or dark (d)", controls.changeTheme));
    this.addFilters();
  }

  showPlaying(isPlaying: boolean): void {
    this.playButton.textContent = isPlaying ? "❚❚" : "▶";
  }

  /** After a change of what is shown. */
  show(): void {
    for (const one of this.chips) one.show();
  }

  private addSearch(controls: Controls): void {
    const { search, scene } = this;
    search.type = "search";
    search.id = "search";
    search.placeholder = "search: text, #12 (entry), t3 (term)";
    search.addEventListener("input", () => scene.filter.search(search.value));
    search.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") controls.jump("match", event.shiftKey);
      if (event.key === "Escape") {
        search.value = "";
        scene.filter.search("");
        search.blur();
      }
    });
    find("tools").append(search);
  }

  /** Chips are a legend, too: they have the colours of what they stand for. */
  private addFilters(): void {
    const { scene, scene: { filter, model } } = this;
    const row = find("filters");
    const add = (one: Chip): void => {
      this.chips.push(one);
      row.append(one.element);
    };
    for (const [lane, name] of model.lanes.entries()) {
      add(chip(name, null, () => filter.showsLane(lane), (isOnly) => {
        if (isOnly) filter.toggleOnlyLane(lane);
        else filter.toggleLane(lane);
      }));
    }
    row.append(element("span", "gap"));
    const there = new Set(model.packets.map(({ kind }) => kind));
    for (const kind of PACKET_KINDS.filter((one) => there.has(one))) {
      const colour = scene.theme.packets[kind];
      add(chip(KIND_NAMES[kind], colour, () => !filter.hiddenKinds.has(kind), (isOnly) => {
        if (isOnly) filter.toggleOnlyKind(kind);
        else filter.toggleKind(kind);
      }));
    }
    row.append(element("span", "gap"));
    add(chip("disk operations", scene.theme.sync, () => filter.showsDisks, () => {
      filter.showsDisks = !filter.showsDisks;
      filter.onChange();
    }));
    add(chip("only what did not arrive", scene.theme.wrong, () => filter.faultsOnly, () => {
      filter.faultsOnly = !filter.faultsOnly;
      filter.onChange();
    }));
  }
}
