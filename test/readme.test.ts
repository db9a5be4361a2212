/**
 * The README's examples do what they say: their code is taken out of the README and run, beside two more nodes. Only
 * directories and ports are replaced.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Node, open } from "../cli/index.ts";
import { freePorts } from "../cli/process-cluster.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

const AsyncFunction = (async () => {}).constructor as new (...texts: string[]) => (
  ...values: unknown[]
) => Promise<unknown>;

/** The README's example that contains these words, for this directory and these ports instead of 7001, 7002, ... */
function exampleWith(words: string, directory: string, ports: readonly number[]): string {
  const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
  let code = examples.find((one) => one.includes(words)) ?? "";
  expect(code).toContain(words);
  code = code.replace(/^import .*$/m, "");
  code = code.replaceAll(/"data\/(\w)"/g, (_, id: string) => JSON.stringify(join(directory, id)));
  for (const [at, port] of ports.entries()) code = code.replaceAll(`127.0.0.1:${7001 + at}`, `127.0.0.1:${port}`);
  return code;
}

test("the README's first example runs as it stands", async () => {
  const directory = mkdtempSync(join(tmpdir(), "quorumlite-readme-"));
  const ports = await freePorts(3);
  const ids = ["a", "b", "c"];
  const cluster = Object.fromEntries(ids.map((id, at) => [id, `127.0.0.1:${ports[at]}`]));
  const others = await Promise.all(["b", "c"].map((id) => open({ directory: join(directory, id), id, cluster })));

  expect(readme).toContain('import { open } from "quorumlite";');
  let code = exampleWith("await node.close();", directory, ports);
  const look = 'const seen = await db.all("SELECT * FROM kv");';
  code = code.replace("await node.close();", `${look} await node.close(); return seen;`);

  expect(await new AsyncFunction("open", code)(open)).toEqual([{ k: "k", v: 2 }]);
  // What the example wrote is on the others too.
  expect(await others[0]!.database().get("SELECT v FROM kv")).toEqual({ v: 2 });
  await Promise.all(others.map((node) => node.close()));
  rmSync(directory, { recursive: true });
}, 30_000);

test("the README's example of a cluster that grows and shrinks runs as it stands", async () => {
  const directory = mkdtempSync(join(tmpdir(), "quorumlite-readme-"));
  const ports = await freePorts(4);
  const ids = ["a", "b", "c"];
  const cluster = Object.fromEntries(ids.map((id, at) => [id, `127.0.0.1:${ports[at]}`]));
  const nodes = await Promise.all(ids.map((id) => open({ directory: join(directory, id), id, cluster })));
  await Promise.all(nodes.map((node) => node.ready()));
  await nodes[0]!.database().exec("CREATE TABLE kv (k TEXT PRIMARY KEY, v)");

  const code = `${exampleWith("addMember", directory, ports)} return d;`;
  const leading = nodes.find((node) => node.status().leader === node.status().id)!;
  const d = (await new AsyncFunction("open", "node", code)(open, leading)) as Node;
  const member = { role: "voter", alive: true };
  expect(d.status().members).toMatchObject([{ id: "b", ...member }, { id: "c", ...member }, { id: "d", ...member }]);
  expect(d.status().leader).toBe("d");
  expect(await d.database().all("SELECT * FROM kv")).toEqual([]);
  await Promise.all([d, ...nodes].map((node) => node.close()));
  rmSync(directory, { recursive: true });
}, 30_000);
