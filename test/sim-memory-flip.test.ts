/** A state that is changed behind its engine's back: other bytes, sound in every other way, over both engines. */
import { expect, test } from "vitest";
import { ENGINE_SEED_SIZE, type Engine, type EngineFactory } from "../core/database/engine.ts";
import { sqliteEngineFactory } from "../core/sqlite/factory.ts";
import { loadSqlJs } from "../cli/sqljs.ts";
import { FlippableEngines } from "../sim/memory-flip.ts";
import { modelEngineFactory } from "../sim/model/engine.ts";
import { SETUP_SCRIPT, STATEMENTS } from "../sim/workload/statements.ts";
import { stateOf } from "./engine-state.ts";

const SEED = new Uint8Array(ENGINE_SEED_SIZE).fill(3);
const LIMITS = { maxPayloadBytes: 1_000_000, maxResultBytes: 1_000_000 };

/** An engine with the workload's tables, all of it applied, and what flips it. */
function flippable(factory: EngineFactory): { engines: FlippableEngines; engine: Engine } {
  const engines = new FlippableEngines(factory);
  const engine = engines.create(SEED, LIMITS);
  expect(engine.script(SETUP_SCRIPT).type).toBe("done");
  advance(engine);
  return { engines, engine };
}

function advance(engine: Engine): void {
  engine.takeCommits().forEach(() => engine.advance());
}

const FACTORIES: readonly (readonly [string, () => EngineFactory])[] = [
  ["the page model", () => modelEngineFactory],
  ["SQLite", () => sqliteEngineFactory(loadSqlJs())],
];

test.each(FACTORIES)("%s goes on with one byte that is another, and only a comparison shows it", (_name, of) => {
  const [{ engines, engine }, twin] = [flippable(of()), flippable(of()).engine];
  expect(engine.checksum()).toBe(twin.checksum());
  expect(engines.flip(SEED)).toBe(true);
  expect(engine.checksum()).not.toBe(twin.checksum());
  const [flipped, right] = [stateOf(engine), stateOf(twin)];
  expect(flipped.checksum).toBe(engine.checksum());
  const differing = flipped.pages.filter(({ crc }, at) => crc !== right.pages[at]?.crc);
  expect(differing.length).toBe(1);
  const [page] = differing;
  const other = right.pages.find(({ number }) => number === page!.number)!;
  expect([...page!.bytes].filter((byte, at) => byte !== other.bytes[at]).length).toBe(1);
  const read = (of: Engine) => of.run("reader", STATEMENTS.readAccounts, []);
  expect(read(engine)).toEqual(read(twin));
});

test.each(FACTORIES)("%s is left alone while something is under way", (_name, of) => {
  const { engines, engine } = flippable(of());
  engine.cut();
  expect(engines.flip(SEED)).toBe(false);
  engine.endCut(false);
  engine.begin();
  expect(engines.flip(SEED)).toBe(false);
  engine.rollback();
  expect(engine.run("writer", STATEMENTS.append, [1, 1]).type).toBe("done");
  expect(engines.flip(SEED)).toBe(false);
  advance(engine);
  expect(engines.flip(SEED)).toBe(true);
});

test("an engine without pages has nothing that could be changed", () => {
  const engines = new FlippableEngines(modelEngineFactory);
  expect(engines.flip(SEED)).toBe(false);
  engines.create(SEED, LIMITS);
  expect(engines.flip(SEED)).toBe(false);
});
