/** The events that tell a run's story, in order: for the list beside the diagram, and for jumps. */
import type { Filter } from "./filter.ts";
import { type Category, categoryOf } from "./icons.ts";
import { inWords } from "./kinds.ts";
import { isCut } from "./lanes.ts";
import type { Model } from "./model.ts";
import { reignsOf } from "./paint-overview.ts";
import type { Target } from "./selection.ts";

export interface StoryEvent {
  readonly at: number;
  readonly category: Category;
  readonly lane: number | null;
  readonly text: string;
  /** What is pinned when the event is chosen; null: a time is all there is. */
  readonly target: Target | null;
}

export const CATEGORY_NAMES: Readonly<Record<Category, string>> = {
  failure: "failure", phase: "phases", election: "elections", crash: "crashes", network: "cuts", disk: "disks",
  operator: "operators", news: "news", client: "clients", mark: "marks", match: "found",
};

/** How many of the packets and calls that were looked for are listed. */
const MAX_FOUND = 3000;
const STEPS_OF_AN_ENTRY = [["lastIndex", "has"], ["commitIndex", "commits"], ["lastApplied", "applies"]] as const;

/** What was looked for, and when each node had, and knew to be committed, the entry that was. */
export function foundOf(model: Model, filter: Filter): StoryEvent[] {
  const links = [...model.packets, ...model.calls].filter((link) => filter.finds(link)).slice(0, MAX_FOUND);
  const found = links.map((link): StoryEvent => {
    const lane = link.type === "packet" ? link.from : link.lane;
    const whither = link.type === "packet" ? `→ ${model.lanes[link.to]} ` : "";
    return { at: link.at, category: "match", lane, text: `${whither}${link.text}`, target: { type: "link", link } };
  });
  const { index } = filter;
  if (index === null) return found;
  for (const [lane, states] of model.states.entries()) {
    for (const [name, text] of STEPS_OF_AN_ENTRY) {
      const first = states.find((state) => state[name] >= index);
      if (first === undefined) continue;
      const target: Target = { type: "node", node: lane, at: first.at };
      found.push({ at: first.at, category: "match", lane, text: `${text} entry ${index}`, target });
    }
  }
  return found;
}

export function storyOf(model: Model): StoryEvent[] {
  const story: StoryEvent[] = model.moments.map((moment): StoryEvent => {
    const { at, lane, text } = moment;
    return { at, category: categoryOf(moment), lane, text, target: { type: "moment", moment } };
  });
  for (const { node, term, from, end } of reignsOf(model)) {
    const target: Target = { type: "node", node, at: from };
    story.push({ at: from, category: "election", lane: node, text: `leads term ${term}`, target });
    const isOver = end < model.end;
    if (!isOver) continue;
    story.push({ at: end, category: "election", lane: node, text: `no longer leads term ${term}`, target: null });
  }
  for (const [node, states] of model.states.entries()) {
    for (const [at, state] of states.entries()) {
      if (state.role !== "candidate" || states[at - 1]?.role === "candidate") continue;
      const text = `stands for term ${state.term}`;
      story.push({ at: state.at, category: "election", lane: node, text, target: null });
    }
  }
  for (const span of model.spans) {
    const category = isCut(span) ? "network" : "disk";
    const lane = isCut(span) ? null : span.lanes[0]!;
    const what = isCut(span) ? `${inWords(span.kind)} ${span.text}` : inWords(span.kind);
    story.push({ at: span.from, category, lane, text: what, target: { type: "span", span } });
    if (span.end === null || span.end >= model.end) continue;
    story.push({ at: span.end, category, lane, text: `${what} is over`, target: { type: "span", span } });
  }
  return story.sort((a, b) => a.at - b.at);
}
