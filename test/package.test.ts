/**
 * What npm is told of this package: the lock file is complete, versions are pinned, and what is published exists.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), "utf8"));
}

const manifest = readJson("package.json") as {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly exports: { readonly ".": Readonly<Record<string, string>> };
  readonly bin: Readonly<Record<string, string>>;
};
const lock = readJson("package-lock.json") as { readonly packages: Readonly<Record<string, LockedPackage>> };

// npm leaves out of the lock file what it could not find at the time, the builds for other platforms say, and `npm ci`
// then refuses it on every machine.
test("the lock file names every package that its packages ask for", () => {
  const entries = Object.entries(lock.packages);
  const missing = entries.flatMap(([path, { dependencies = {}, optionalDependencies = {} }]) => {
    const names = Object.keys({ ...dependencies, ...optionalDependencies });
    const isThere = (name: string): boolean =>
      `node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages;
    return names.filter((name) => !isThere(name)).map((name) => `${path} asks for ${name}`);
  });
  expect(missing).toEqual([]);
  expect(entries.length).toBeGreaterThan(50);
});

test("sql.js is the one dependency at run time, and every version is pinned", () => {
  expect(Object.keys(manifest.dependencies)).toEqual(["sql.js"]);
  const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test("what is exported and what is run has a source", () => {
  const outputs = [...Object.values(manifest.exports["."]), ...Object.values(manifest.bin)];
  for (const output of outputs) {
    const source = output.replace(/^\.\/dist\//, "").replace(/(\.d\.ts|\.js)$/, ".ts");
    expect(existsSync(fileURLToPath(new URL(`../${source}`, import.meta.url))), source).toBe(true);
  }
});
