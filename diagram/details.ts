/** What is known of a thing, in words: for the box beside the pointer, and for the panel. */
import { inWords } from "./kinds.ts";
import type { Link, Model } from "./model.ts";
import type { Target } from "./selection.ts";
import { formatDuration, formatTime } from "./viewport.ts";

export interface Details {
  readonly title: string;
  readonly rows: readonly (readonly [name: string, value: string])[];
}

export function detailsOf(model: Model, target: Target): Details {
  const name = (lane: number): string => model.lanes[lane] ?? "";
  switch (target.type) {
    case "link":
      return detailsOfLink(model, target.link);
    case "moment": {
      const { kind, at, lane, text } = target.moment;
      const whose = lane === null ? "" : `${name(lane)}: `;
      return { title: `${whose}${inWords(kind)}`, rows: [["at", formatTime(at, 1)], ["", text]] };
    }
    case "span": {
      const { kind, from, end, lanes, text } = target.span;
      const until = end ?? model.end;
      return {
        title: lanes.length === 1 ? `${name(lanes[0]!)}: ${inWords(kind)}` : inWords(kind),
        rows: [
          ["from", formatTime(from, 1)], ["to", end === null ? "the end" : formatTime(end, 1)],
          ["for", formatDuration(until - from)], ["", text === kind ? "" : text],
        ],
      };
    }
    default: {
      const state = model.stateAt(target.node, target.at);
      return {
        title: `${name(target.node)} ${state.role}`,
        rows: [
          ["at", formatTime(target.at, 1)], ["term", String(state.term)],
          ["commit", String(state.commitIndex)], ["applied", String(state.lastApplied)],
          ["last", String(state.lastIndex)], ["log from", String(state.baseIndex + 1)],
        ],
      };
    }
  }
}

const FATES = {
  arrived: "arrived", underWay: "under way at the end", unheard: "nobody was there to hear it", lost: "lost on the way",
  cut: "stopped: the link was cut", broken: "changed on its way: its receiver drops the connection",
} as const;

function detailsOfLink(model: Model, link: Link): Details {
  const name = (lane: number): string => model.lanes[lane] ?? "";
  const [word = "", ...rest] = link.text.split(" ");
  switch (link.type) {
    case "packet":
      return {
        title: `${name(link.from)} → ${name(link.to)}  ${word}${link.isCopy ? " (a copy)" : ""}`,
        rows: [
          ["sent", formatTime(link.at, 1)],
          [link.fate === "arrived" ? "arrived" : "fate", link.fate === "arrived"
            ? `${formatTime(link.end, 1)} (after ${formatDuration(link.end - link.at)})`
            : FATES[link.fate]],
          ["", rest.join(" ")],
        ],
      };
    case "operation": {
      const duration = formatDuration(link.end - link.at);
      const done = link.isDone ? `after ${duration}` : "its process did not live to hear of it";
      return {
        title: `${name(link.lane)}: ${word}`,
        rows: [
          ["ordered", formatTime(link.at, 1)], ["done", done],
          ["", `${rest.join(" ")}${link.hasFailed ? " FAILED" : ""}`],
        ],
      };
    }
    default:
      return {
        title: `${link.application}${link.transaction > 0 ? `, transaction ${link.transaction}` : ""}`,
        rows: [
          ["called", formatTime(link.at, 1)],
          ["outcome", `${link.outcome}${link.isOver ? ` after ${formatDuration(link.end - link.at)}` : ""}`],
          ["", link.text], ["", link.result],
        ],
      };
  }
}

/** One line, for lists of causes and effects. */
export function lineOfLink(model: Model, link: Link): string {
  const name = (lane: number): string => model.lanes[lane] ?? "";
  switch (link.type) {
    case "packet":
      return `${name(link.from)} → ${name(link.to)} ${link.text}`;
    case "operation":
      return `${name(link.lane)} ${link.text}`;
    default:
      return `${link.application} ${link.text}`;
  }
}
