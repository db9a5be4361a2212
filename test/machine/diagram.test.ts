/** The page of a run in a real browser, of one that passed and of one that failed: clicked through as readers do. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { diagramPage } from "../../cli/diagram-page.ts";
import { makeEnvironment } from "../../cli/sim-environment.ts";
import { isSegmentFile } from "../../core/storage/segment-file.ts";
import { aboutResult } from "../../sim/chronicle/about.ts";
import { Chronicler } from "../../sim/chronicle/chronicler.ts";
import type { Environment } from "../../sim/environment.ts";
import { drawPlan } from "../../sim/plan.ts";
import { Run } from "../../sim/run.ts";

const ROOT = join(import.meta.dirname, "../..");
const CHROMIUM = "/usr/bin/chromium";
const OPTIONS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const PASSING_SEED = 45;
const FAILING_SEED = 2;

let folder: string;
let browser: Browser;
let page: Page;
const asked: string[] = [];
const errors: string[] = [];

/** All nodes take a sync of their log for done that was a read: they vouch for what is not on their disks. */
function forgetSyncs({ boot, ...rest }: Environment): Environment {
  return {
    ...rest,
    boot: (options) => {
      const machine = boot(options);
      return {
        inspect: () => machine.inspect(),
        image: () => machine.image(),
        flip: (seed) => machine.flip(seed),
        end: () => machine.end(),
        step: (now, input) => machine.step(now, input).map((effect) => {
          if (effect.type !== "Disk" || effect.operation.type !== "sync") return effect;
          const { file } = effect.operation;
          if (!isSegmentFile(file)) return effect;
          return { ...effect, operation: { type: "read", file, offset: 0, length: 0 } };
        }),
      };
    },
  };
}

async function writeFailure(path: string): Promise<void> {
  const chronicler = new Chronicler();
  const environment = forgetSyncs(await makeEnvironment("model", chronicler.witness));
  const result = new Run(drawPlan(FAILING_SEED), environment).execute();
  expect(result.failure).toMatchObject({ oracle: "durable-promise" });
  const template = readFileSync(join(ROOT, "dist/diagram/page.html"), "utf8");
  writeFileSync(path, diagramPage(template, aboutResult(result, "0.1.0", "model"), chronicler.chronicle()));
}

beforeAll(async () => {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing: apt-get install -y chromium`);
  folder = mkdtempSync(join(tmpdir(), "quorumlite-diagram-"));
  const program = join(ROOT, "dist/cli/sim.js");
  const options = ["--seed", String(PASSING_SEED), "--database", "model", "--report", join(folder, "passed.html")];
  const { status, stderr } = spawnSync(process.execPath, [program, ...options], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  await writeFailure(join(folder, "failed.html"));
  browser = await chromium.launch({ executablePath: CHROMIUM, args: OPTIONS });
});

afterAll(async () => {
  await browser?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  page = await browser.newPage({ viewport: { width: 1400, height: 900 }, colorScheme: "light" });
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => errors.push(message.text()));
  page.on("request", (request) => asked.push(request.url()));
});

/** Whatever was done, the page threw nothing and asked nobody for anything. */
afterEach(async () => {
  await page.close();
  expect(errors.splice(0)).toEqual([]);
  expect(asked.splice(0).filter((url) => !url.startsWith("file:"))).toEqual([]);
});

async function open(name: string): Promise<void> {
  await page.goto(`file://${join(folder, name)}`);
  await page.waitForFunction("document.getElementById('main').dataset.packets !== undefined");
}

/** Of an expression over the page's own parts. */
function read(expression: string): Promise<unknown> {
  return page.evaluate(`(({ scene, story }) => ${expression})(diagram)`);
}

/** Waits until a glide of the view is over and the page is painted. */
async function settle(): Promise<void> {
  let before: unknown = null;
  for (let now = await read("scene.viewport.from + scene.viewport.end"); now !== before;) {
    before = now;
    await page.waitForTimeout(250);
    now = await read("scene.viewport.from + scene.viewport.end");
  }
}

async function width(): Promise<number> {
  return Number(await read("scene.viewport.end - scene.viewport.from"));
}

async function packets(): Promise<number> {
  await settle();
  return Number(await page.locator("#main").getAttribute("data-packets"));
}

/** Shows the first append that has arrived and been caused by something, close; where its middle is on the screen. */
async function showAppend(): Promise<{ x: number; y: number; text: string }> {
  await read(`(() => {
    const packet = scene.model.packets.find((one) => one.kind === "append" && one.fate === "arrived" && one.cause > 0);
    globalThis.shown = packet;
    const length = Math.max(packet.end - packet.at, 200);
    scene.viewport.show(packet.at - length, packet.end + length);
  })()`);
  await settle();
  const box = (await page.locator("#main").boundingBox())!;
  const [x, y, text] = (await read(`[
    scene.viewport.x((shown.at + shown.end) / 2),
    (scene.lanes.line(shown.from) + scene.lanes.line(shown.to)) / 2,
    shown.text,
  ]`)) as [number, number, string];
  return { x: box.x + x, y: box.y + y, text };
}

test("a run that passed says so, with its seed, and is painted", async () => {
  await open("passed.html");
  expect(await page.locator(".badge").innerText()).toContain("PASSED");
  expect(await page.locator(".seed").innerText()).toBe(`seed ${PASSING_SEED}`);
  expect(await page.locator("#failure").isHidden()).toBe(true);
  expect(await packets()).toBeGreaterThan(500);
  const colours = await page.evaluate(`[...document.querySelectorAll("canvas")].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  })`);
  for (const count of colours as number[]) expect(count).toBeGreaterThan(50);
});

test("a packet tells under the pointer what it says, and pinned what it was caused by", async () => {
  await open("passed.html");
  const { x, y, text } = await showAppend();
  await page.mouse.move(x, y);
  const said = text.split(" ").slice(1).join(" ");
  expect(await page.locator("#tip").innerText()).toContain(said);
  await page.mouse.click(x, y);
  const inspector = page.locator("#inspector");
  expect(await inspector.innerText()).toContain(said);
  expect(await inspector.innerText()).toContain("caused by");
  const pinned = await read("scene.selection.pinned.link.id");
  await inspector.locator("button.link").first().click();
  expect(await read("scene.selection.pinned.link.id")).not.toBe(pinned);
  await page.mouse.move(700, 5);
  await page.keyboard.press("Escape");
  expect(await inspector.isHidden()).toBe(true);
});

test("wheel and keys zoom and move, the brush chooses", async () => {
  await open("passed.html");
  const whole = await width();
  const box = (await page.locator("#main").boundingBox())!;
  await page.mouse.move(box.x + 600, box.y + 200);
  await page.mouse.wheel(0, -600);
  await settle();
  const zoomed = await width();
  expect(zoomed).toBeLessThan(whole / 3);
  const from = Number(await read("scene.viewport.from"));
  await page.keyboard.press("ArrowRight");
  await settle();
  expect(Number(await read("scene.viewport.from"))).toBeGreaterThan(from);
  await page.keyboard.press("+");
  await settle();
  expect(await width()).toBeLessThan(zoomed);
  await page.keyboard.press("0");
  await settle();
  expect(await width()).toBeGreaterThan(whole * 0.9);
  const strip = (await page.locator("#overview").boundingBox())!;
  await page.mouse.move(strip.x + 400, strip.y + 30);
  await page.mouse.down();
  await page.mouse.move(strip.x + 500, strip.y + 30, { steps: 4 });
  await page.mouse.up();
  await settle();
  expect(await width()).toBeLessThan(whole / 5);
});

test("lanes, kinds and all but faults can be hidden", async () => {
  await open("passed.html");
  const all = await packets();
  const chip = (name: string) => page.locator("#filters button", { hasText: new RegExp(`^${name}$`) });
  await chip("a").click();
  const withoutNode = await packets();
  expect(withoutNode).toBeLessThan(all);
  await chip("requests").click();
  expect(await packets()).toBeLessThan(withoutNode);
  await chip("requests").click();
  await chip("a").click();
  expect(await packets()).toBe(all);
  await chip("only what did not arrive").click();
  const stopped = await packets();
  expect(stopped).toBeGreaterThan(0);
  expect(stopped).toBeLessThan(all);
});

test("jumps, search, play and the story move the playhead", async () => {
  await open("passed.html");
  const playhead = async () => Number(await read("scene.playhead"));
  await page.keyboard.press("Home");
  await page.locator("[data-jump=election]").click();
  expect(await playhead()).toBe(await read("story.find(({ text }) => text.startsWith('leads')).at"));
  await page.locator("#search").fill("#2");
  expect(await page.locator("#story .event.match", { hasText: "commits entry 2" }).count()).toBeGreaterThan(0);
  await page.keyboard.press("Enter");
  await settle();
  expect(await read("scene.selection.pinned.link.text")).toMatch(/[/=]2\b/);
  await page.keyboard.press("Escape");
  const before = await playhead();
  await page.locator("#play").click();
  await expect.poll(playhead).toBeGreaterThan(before);
  await page.locator("#play").click();
  await page.locator("#story .event").first().click();
  expect(await page.locator("#story .event.current").count()).toBe(1);
});

test("a run that failed says which oracle, whose, and how to repeat it, and shows what led to it", async () => {
  await open("failed.html");
  expect(await page.locator(".badge").innerText()).toContain("FAILED durable-promise");
  const failure = page.locator("#failure");
  expect(await failure.locator(".message").innerText()).toContain("vouches for");
  expect(await failure.locator(".where").innerText()).toMatch(/nodes [a-j]/);
  expect(await failure.locator("code").innerText()).toBe(`npm run sim -- --seed ${FAILING_SEED} --database model`);
  expect(await page.locator("#story .event.failure").innerText()).toContain("durable-promise");
  await page.keyboard.press("f");
  await settle();
  expect(Number(await read("scene.selection.causes.size"))).toBeGreaterThan(2);
  const end = Number(await read("scene.model.end"));
  expect(Number(await read("scene.viewport.end"))).toBeGreaterThan(end);
  await page.keyboard.press("d");
  expect(await page.locator("html").getAttribute("data-theme")).toBe("dark");
});
