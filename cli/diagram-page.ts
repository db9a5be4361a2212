/** Writes a run as one HTML file that shows it: the page that the build makes of diagram/, and the run's data. */
import { readFileSync, writeFileSync } from "node:fs";
import type { About } from "../sim/chronicle/about.ts";
import type { Chronicle } from "../sim/chronicle/format.ts";
import { lastPackets } from "../sim/chronicle/window.ts";

/** Of a longer run, the last ones: a page of some 10 MB, that a browser still moves without effort. */
const MAX_PACKETS = 60_000;
const TEMPLATE = new URL("../diagram/page.html", import.meta.url);

/** Throws what node:fs throws. */
export function writeDiagram(path: string, about: About, chronicle: Chronicle): void {
  writeFileSync(path, diagramPage(readFileSync(TEMPLATE, "utf8"), about, chronicle));
}

export function diagramPage(template: string, about: About, chronicle: Chronicle): string {
  // Nothing in the data ends the element that it stands in.
  const data = JSON.stringify({ about, chronicle: lastPackets(chronicle, MAX_PACKETS) }).replaceAll("<", "\\u003c");
  return template.replace("/*DATA*/", () => data);
}
