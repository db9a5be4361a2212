/**
 * Three nodes, of which one is closed, finds its files cut, garbled or gone, and comes back while the others are
 * written to: it refills from them, and ends with the same bytes. One after the other, never two at a time.
 */
import { expect, test } from "vitest";
import { type Node, QuorumliteError } from "../cli/index.ts";
import { idsIn, insert, SCHEMA } from "./child-node.ts";
import { damage, type DamageKind, filesIn } from "./file-damage.ts";
import { Nodes, until } from "./nodes.ts";
import { roundsOf, seededCase } from "./seed.ts";
import { SMALL_LIMITS } from "./small-limits.ts";

const IDS = ["a", "b", "c"];
/** Both copies gone, nobody knows any more whom the node has voted for: such damage is refused, not mended. */
const KINDS: Readonly<Record<string, readonly DamageKind[]>> = { identity: ["bit"], term: ["bit"] };
const ALL_KINDS: readonly DamageKind[] = ["cut", "bits", "block", "removed"];

/** The applied state as the engine has it: the whole database, byte for byte. */
function imageOf(node: Node): Uint8Array {
  return node["lives"].driver["node"].database["engine"].image();
}

test("a node whose files are damaged comes back, refills, and ends with the same bytes", async () => {
  const nodes = await Nodes.create(3, SMALL_LIMITS);
  await nodes.found(...IDS);
  const database = (await nodes.leader()).database();
  let last = 0;
  const write = async (count: number): Promise<void> => {
    for (const end = last + count; last < end; last++) await insertSurely(nodes, last + 1);
  };
  await database.exec(SCHEMA);
  await write(60);
  for (let round = 0; round < roundsOf(6); round++) {
    const { random, repeat } = seededCase("test/damage-cluster.test.ts", round);
    const id = random.pick(IDS);
    await nodes.close(id);
    const directory = nodes.directoryOf(id);
    const file = random.pick(filesIn(directory));
    const what = damage(directory, file, random.pick(KINDS[file] ?? ALL_KINDS), random);
    const explain = (error: unknown): never => {
      throw new Error(`${id}: ${what}; ${repeat}`, { cause: error });
    };
    await write(10);
    let node!: Node;
    const opening = nodes.open(id, { cluster: nodes.among(...IDS) }).then((opened) => (node = opened));
    await Promise.race([opening, until(() => node, "the node is open")]).catch(explain);
    await write(10);
    const isBack = (): boolean => {
      const states = [...nodes.running.values()].map((one) => one.status());
      const ends = new Set(states.map(({ appliedIndex }) => appliedIndex));
      return ends.size === 1 && states.every(({ storage }) => storage.lost === null);
    };
    await until(isBack, "the node has caught up").catch(explain);
    expect(await idsIn(node.database()).catch(explain)).toEqual(Array.from({ length: last }, (_, at) => at + 1));
    for (const other of nodes.running.values()) {
      expect(Buffer.compare(imageOf(node), imageOf(other)), `${id}: ${what}; ${repeat}`).toBe(0);
    }
  }
}, 60_000 + 10_000 * roundsOf(0));

/** Leadership moves when its holder is closed: what failed by that is tried again. */
async function insertSurely(nodes: Nodes, id: number): Promise<void> {
  await until(async () => {
    const [node] = nodes.running.values();
    try {
      await insert(node!.database(), id);
      return true;
    } catch (error) {
      if (!(error instanceof QuorumliteError)) throw error;
      // It was there after all.
      return error.sqlCode === "SQLITE_CONSTRAINT_PRIMARYKEY";
    }
  }, `row ${id} is inserted`);
}
