/** The head of the page: which run it is, how it ended and how it is repeated; and all that was drawn, on demand. */
import type { About } from "../sim/chronicle/about.ts";
import { button, element, find } from "./elements.ts";

export function showHeader(about: About): void {
  const head = find("verdict");
  const hasPassed = about.verdict === "passed";
  document.title = `${hasPassed ? "passed" : `failed ${about.oracle}`}: seed ${about.seed}`;
  document.body.classList.add(hasPassed ? "passed" : "failed");
  head.append(element("strong", "badge", hasPassed ? "✓ PASSED" : `✖ FAILED ${about.oracle}`));
  head.append(element("span", "seed", `seed ${about.seed}`));
  for (const [name, value] of about.measures) head.append(measure(name, value));
  if (!hasPassed) showFailure(about);
  const more = find("about");
  more.append(element("h2", "", "what was drawn"), element("p", "plan", about.plan));
  more.append(table("fault", ["injected", "effect"], about.faults), table("mark", ["reached"], about.marks));
}

function measure(name: string, value: string): HTMLElement {
  const box = element("span", "measure");
  box.append(element("i", "", name), value);
  return box;
}

function showFailure(about: About): void {
  const box = find("failure");
  box.hidden = false;
  const kinds = { correctness: "wrong", liveness: "not live", crash: "a throw of the code", passed: "" } as const;
  const where = [
    kinds[about.verdict],
    ...(about.nodes.length > 0 ? [`nodes ${about.nodes.join(" ")}`] : []),
    ...(about.index === null ? [] : [`index ${about.index}`]),
  ];
  box.append(element("p", "message", about.message), element("p", "where", where.join(" · ")));
  const repeat = element("p", "repeat");
  const code = element("code", "", about.repeat);
  code.id = "repeat";
  const copy = (): void => void navigator.clipboard.writeText(about.repeat);
  repeat.append("repeat it: ", code, button("copy", "copy the command", copy));
  box.append(repeat);
}

function table(
  title: string, columns: readonly string[], rows: readonly (readonly [string, ...number[]])[],
): HTMLElement {
  const made = element("table");
  const head = element("tr");
  for (const name of [title, ...columns]) head.append(element("th", "", name));
  made.append(head);
  for (const cells of rows) {
    const row = element("tr");
    for (const cell of cells) row.append(element("td", "", String(cell)));
    made.append(row);
  }
  return made;
}
