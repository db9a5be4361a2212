/** The chronicle of a run: whether it keeps what happened, and what caused it; and the page that it goes into. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { diagramPage } from "../cli/diagram-page.ts";
import { makeEnvironment } from "../cli/sim-environment.ts";
import { aboutCrash, aboutResult } from "../sim/chronicle/about.ts";
import { Chronicler } from "../sim/chronicle/chronicler.ts";
import { type Cause, CAUSE_TABLES, type Chronicle, FATES, ROLES } from "../sim/chronicle/format.ts";
import { lastPackets } from "../sim/chronicle/window.ts";
import type { Happening } from "../sim/happening.ts";
import { drawPlan } from "../sim/plan.ts";
import { Run } from "../sim/run.ts";

const SEED = 45;

const chronicler = new Chronicler();
const told = new Map<Happening["type"], number>();
const environment = await makeEnvironment("model", (now, happening) => {
  told.set(happening.type, (told.get(happening.type) ?? 0) + 1);
  chronicler.witness(now, happening);
});
const result = new Run(drawPlan(SEED), environment).execute();
const chronicle = chronicler.chronicle();

/** When a cause led to something: a packet as it arrived, an operation as it was done, a call as it was made. */
function timeOf(cause: Cause, { packets, operations, calls }: Chronicle): number {
  const row = Math.floor(cause / 4);
  switch (CAUSE_TABLES[cause % 4]) {
    case "packets":
      return packets[row]![0] + packets[row]![1];
    case "operations":
      return operations[row]![0] + operations[row]![1];
    case "calls":
      return calls[row]![0];
    default:
      throw new Error("nothing has caused it");
  }
}

test("every packet and every operation leaves at the time when what caused it came", () => {
  const packets = chronicle.packets.map((row) => [row[0], row[6]] as const);
  const operations = chronicle.operations.map((row) => [row[0], row[4]] as const);
  const caused = [...packets, ...operations].filter(([, cause]) => cause !== 0);
  expect(caused.length).toBeGreaterThan(chronicle.packets.length / 2);
  const wrong = caused.filter(([at, cause]) => timeOf(cause, chronicle) !== at);
  expect(wrong).toEqual([]);
});

test("each packet that was sent is there, and as many have arrived as were received", () => {
  expect(chronicle.packets).toHaveLength(told.get("PacketSent")!);
  const arrived = chronicle.packets.filter((row) => FATES[row[4]] === "arrived");
  const resets = arrived.filter((row) => chronicle.texts[row[7]] === "the connection is reset");
  expect(arrived.length - resets.length).toBe(told.get("PacketReceived"));
  expect(chronicle.packets.every(([, delay]) => delay >= 0)).toBe(true);
});

test("crashes, starts and cuts are there, and each cut has its end", () => {
  const moments = (kind: string) => chronicle.moments.filter((moment) => moment.kind === kind).length;
  expect(moments("started")).toBe(told.get("NodeStarted"));
  expect(moments("killed") + moments("powerLoss")).toBe(told.get("NodeCrashed"));
  const cuts = chronicle.spans.filter(({ others }) => others.length > 0);
  expect(cuts).toHaveLength(told.get("CutBegan")!);
  expect(cuts.every(({ from, end }) => end !== null && end >= from)).toBe(true);
});

test("states change, follow each other in time, and some node leads", () => {
  for (const node of chronicle.nodes.keys()) {
    const states = chronicle.states.filter((row) => row[1] === node);
    for (const [at, state] of states.entries()) {
      const before = states[at - 1];
      if (before === undefined) continue;
      expect(state[0]).toBeGreaterThanOrEqual(before[0]);
      expect(state.slice(2)).not.toEqual(before.slice(2));
    }
  }
  expect(chronicle.states.some((row) => ROLES[row[2]] === "leader")).toBe(true);
});

test("of a longer run the last packets are kept, with causes that still fit", () => {
  const count = Math.floor(chronicle.packets.length / 3);
  const late = lastPackets(chronicle, count);
  expect(late.packets).toHaveLength(count);
  expect(late.detailFrom).toBe(late.packets[0]![0]);
  expect(late.operations.every(([at]) => at >= late.detailFrom)).toBe(true);
  const caused = late.packets.filter((row) => row[6] !== 0);
  expect(caused.length).toBeGreaterThan(count / 2);
  for (const row of caused) expect(timeOf(row[6], late)).toBe(row[0]);
  expect(late.calls).toHaveLength(chronicle.calls.length);
});

test("nothing in the data ends the element of the page that it stands in", () => {
  const template = '<script type="application/json">/*DATA*/</script>';
  const about = { ...aboutResult(result, "0.1.0", "model"), message: "</script><script>$& $1" };
  const page = diagramPage(template, about, chronicle);
  expect(page.match(/<\/script>/g)).toHaveLength(1);
  const data = page.slice(page.indexOf(">") + 1, page.lastIndexOf("</script>"));
  expect(JSON.parse(data)).toEqual(JSON.parse(JSON.stringify({ about, chronicle })));
});

test("a crash of the code has a page, too, with the step that threw", () => {
  const about = aboutCrash({ seed: 7, during: "a Started at 5 us", stack: "Error: out of order" }, "0.1.0", "sqlite");
  expect(about).toMatchObject({ verdict: "crash", repeat: "npm run sim -- --seed 7" });
  expect(about.message).toContain("a Started at 5 us");
});

test("the bundler refuses what it does not understand", async () => {
  const address = new URL("../tools/page.js", import.meta.url).href;
  const { bundle } = (await import(address)) as { bundle: (root: string, main: string) => string };
  const folder = mkdtempSync(join(tmpdir(), "quorumlite-bundle-"));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  write("part.js", "const hidden = 2;\nexport const two = hidden;\n");
  const needs = 'import { two as pair } from "./part.js";\n';
  write("main.js", `${needs}const hidden = 40;\nglobalThis.answer = hidden + pair;\n`);
  new Function(bundle(folder, join(folder, "main.js")))();
  expect((globalThis as unknown as { answer: number }).answer).toBe(42);
  write("main.js", 'import part from "./part.js";\n');
  expect(() => bundle(folder, join(folder, "main.js"))).toThrow("no import or export that can be bundled");
  rmSync(folder, { recursive: true });
});
