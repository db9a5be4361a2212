/**
 * The README's example does what it says: its code is taken out of the README and run, beside two more nodes. Only
 * directories and ports are replaced.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { open } from "../cli/index.ts";
import { freePorts } from "../cli/process-cluster.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

test("the README's example runs as it stands", async () => {
  const directory = mkdtempSync(join(tmpdir(), "quorumlite-readme-"));
  const ports = await freePorts(3);
  const ids = ["a", "b", "c"];
  const cluster = Object.fromEntries(ids.map((id, at) => [id, `127.0.0.1:${ports[at]}`]));
  const others = await Promise.all(["b", "c"].map((id) => open({ directory: join(directory, id), id, cluster })));

  let code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  expect(code).toContain('import { open } from "quorumlite";');
  code = code.replace(/^import .*$/m, "").replaceAll('"data/a"', JSON.stringify(join(directory, "a")));
  for (const [at, port] of ports.entries()) code = code.replaceAll(`127.0.0.1:${7001 + at}`, `127.0.0.1:${port}`);
  expect(code).toContain("await node.close();");
  const look = 'const seen = await db.all("SELECT * FROM kv");';
  code = code.replace("await node.close();", `${look} await node.close(); return seen;`);

  const AsyncFunction = (async () => {}).constructor as new (parameter: string, code: string) => (
    opener: typeof open,
  ) => Promise<unknown>;
  expect(await new AsyncFunction("open", code)(open)).toEqual([{ k: "k", v: 2 }]);
  // What the example wrote is on the others too.
  expect(await others[0]!.database().get("SELECT v FROM kv")).toEqual({ v: 2 });
  await Promise.all(others.map((node) => node.close()));
  rmSync(directory, { recursive: true });
}, 30_000);
