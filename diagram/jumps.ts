/** Where "the next crash" is: times of the story by what they are about, and of what is looked for. */
import type { StoryEvent } from "./events.ts";
import type { Scene } from "./scene.ts";
import type { Target } from "./selection.ts";
import type { Jump } from "./toolbar.ts";

interface Stop {
  readonly at: number;
  readonly target: Target | null;
}

/** null: there is none any more. `events`: those that are listed. */
export function nextStop(
  scene: Scene, story: readonly StoryEvent[], events: readonly StoryEvent[], to: Jump, isBack: boolean,
): Stop | null {
  const stops = stopsOf(scene, story, events, to);
  if (to === "failure") return stops[0] ?? null;
  const { playhead } = scene;
  const found = isBack ? stops.findLast(({ at }) => at < playhead) : stops.find(({ at }) => at > playhead);
  return found ?? null;
}

function stopsOf(
  scene: Scene, story: readonly StoryEvent[], events: readonly StoryEvent[], to: Jump,
): readonly Stop[] {
  switch (to) {
    case "election":
      return story.filter(({ category, text }) => category === "election" && text.startsWith("leads"));
    case "crash":
      return story.filter(({ category, text }) => category === "crash" && !text.startsWith("starts"));
    case "cut":
      return story.filter(({ category, text }) => category === "network" && !text.endsWith("is over"));
    case "event":
      return events;
    case "failure": {
      const { failureCause, end } = scene.model;
      return [{ at: end, target: failureCause === null ? null : { type: "link", link: failureCause } }];
    }
    default: {
      const { model: { packets, calls }, filter } = scene;
      const links = [...packets, ...calls].filter((link) => filter.finds(link)).sort((a, b) => a.at - b.at);
      return links.map((link) => ({ at: link.at, target: { type: "link", link } }));
    }
  }
}
