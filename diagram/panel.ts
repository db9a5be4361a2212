/** The panel on the right: what is pinned with its causes and effects, and below it the story of the run as a list. */
import { detailsOf, lineOfLink } from "./details.ts";
import { chip, type Chip, element, find } from "./elements.ts";
import { CATEGORY_NAMES, foundOf, type StoryEvent } from "./events.ts";
import type { Category } from "./icons.ts";
import { countUntil, type Link } from "./model.ts";
import type { Scene } from "./scene.ts";
import type { Target } from "./selection.ts";
import { formatTime } from "./viewport.ts";

const ROW_HEIGHT = 21;
const MAX_LINKS = 14;
const OFF_AT_FIRST: readonly Category[] = ["mark", "client", "news"];

export class Panel {
  private readonly scene: Scene;
  private readonly story: readonly StoryEvent[];
  private readonly hidden = new Set<Category>(OFF_AT_FIRST);
  private readonly list = find("story");
  private readonly chips: readonly Chip[];
  private shown: readonly StoryEvent[] = [];
  /** What the panel tells of. */
  private inspected: Target | null = null;
  /** Told when an event, or a link, is chosen. */
  onChoose: (event: StoryEvent) => void = () => undefined;
  onChooseLink: (link: Link) => void = () => undefined;

  constructor(scene: Scene, story: readonly StoryEvent[]) {
    this.scene = scene;
    this.story = story;
    this.chips = this.makeChips();
    this.list.addEventListener("scroll", () => this.paintRows());
    this.filter();
  }

  /** The events that are listed now. */
  get events(): readonly StoryEvent[] {
    return this.shown;
  }

  /** After another filter. */
  filter(): void {
    const { filter, model } = this.scene;
    const isSearching = filter.isSearching;
    const story = this.story.filter(({ category, lane, text }) => {
      if (category === "failure") return true;
      const isWanted = isSearching || !this.hidden.has(category);
      return isWanted && (lane === null || filter.showsLane(lane)) && filter.findsText(text);
    });
    const found = isSearching ? foundOf(model, filter) : [];
    this.shown = [...story, ...found].sort((a, b) => a.at - b.at);
    for (const one of this.chips) one.show();
    this.list.replaceChildren(element("div", "spacer"));
    (this.list.firstElementChild as HTMLElement).style.height = `${this.shown.length * ROW_HEIGHT}px`;
    this.paintRows();
  }

  /** Brings the events about the playhead into sight. */
  follow(): void {
    const place = countUntil(this.shown, this.scene.playhead) - 1;
    const top = place * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.list;
    const isInSight = top >= scrollTop + ROW_HEIGHT && top <= scrollTop + clientHeight - 2 * ROW_HEIGHT;
    if (!isInSight) this.list.scrollTop = top - clientHeight / 2;
    this.paintRows();
  }

  showPinned(): void {
    const { selection, model } = this.scene;
    const box = find("inspector");
    const { pinned } = selection;
    if (pinned === this.inspected) return;
    this.inspected = pinned;
    box.replaceChildren();
    box.hidden = pinned === null;
    if (pinned === null) return;
    const { title, rows } = detailsOf(model, pinned);
    box.append(element("h2", "", title));
    for (const [name, value] of rows) {
      const row = element("p");
      if (name !== "") row.append(element("b", "", name));
      row.append(value);
      if (value !== "") box.append(row);
    }
    if (pinned.type === "link") {
      this.appendLinks(box, "caused by, the last first", model.causesOf(pinned.link));
      this.appendLinks(box, "led to", model.effectsOf(pinned.link));
    }
    // The list has another height now.
    this.follow();
  }

  private appendLinks(box: HTMLElement, title: string, links: readonly Link[]): void {
    if (links.length === 0) return;
    box.append(element("h3", "", title));
    for (const link of links.slice(0, MAX_LINKS)) {
      const row = element("button", "link", lineOfLink(this.scene.model, link));
      row.type = "button";
      row.prepend(element("time", "", formatTime(link.at, 1)));
      row.addEventListener("click", () => this.onChooseLink(link));
      box.append(row);
    }
    if (links.length > MAX_LINKS) box.append(element("p", "more", `and ${links.length - MAX_LINKS} more`));
  }

  private makeChips(): Chip[] {
    const row = find("categories");
    const there = new Set(this.story.map(({ category }) => category));
    const categories = (Object.keys(CATEGORY_NAMES) as Category[]).filter((one) => there.has(one) && one !== "failure");
    return categories.map((category) => {
      const one = chip(CATEGORY_NAMES[category], null, () => !this.hidden.has(category), (isOnly) => {
        if (isOnly) for (const other of categories) this.hidden.add(other);
        if (!this.hidden.delete(category)) this.hidden.add(category);
        this.filter();
      });
      row.append(one.element);
      return one;
    });
  }

  /** Only the rows in sight are there. */
  private paintRows(): void {
    const { list, shown, scene } = this;
    const first = Math.max(0, Math.floor(list.scrollTop / ROW_HEIGHT) - 2);
    const last = Math.min(shown.length, first + Math.ceil(list.clientHeight / ROW_HEIGHT) + 4);
    const current = countUntil(shown, scene.playhead) - 1;
    const rows: HTMLElement[] = [];
    for (let at = first; at < last; at++) rows.push(this.makeRow(shown[at]!, at, at === current));
    list.replaceChildren(list.firstElementChild!, ...rows);
  }

  private makeRow(event: StoryEvent, at: number, isCurrent: boolean): HTMLElement {
    const { model } = this.scene;
    const row = element("div", `event ${event.category}${isCurrent ? " current" : ""}`);
    row.style.top = `${at * ROW_HEIGHT}px`;
    row.title = event.text;
    row.append(element("time", "", formatTime(event.at, 1000)));
    const lane = event.lane === null ? "" : (model.lanes[event.lane] ?? "");
    row.append(element("b", "", lane), element("span", "", event.text));
    row.addEventListener("click", () => this.onChoose(event));
    return row;
  }
}
