/**
 * Makes one page of the diagram's compiled modules: each becomes a function that is called once, in the order in which
 * they need each other, so that names of different files do not meet. It understands the imports and exports that our
 * compiler writes, and refuses all others.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const IMPORT = /^import (?:(\{[^}]*\})|\* as (\w+)) from "(\.[^"]+)";\n/gm;
const EXPORT = /^export (?=(?:async )?(?:function|class|const) (\w+))/gm;

/** Writes dist/diagram/page.html. */
export function makePage(root) {
  const source = (name) => readFileSync(join(root, "diagram", name), "utf8");
  const script = bundle(join(root, "dist"), join(root, "dist", "diagram", "main.js"));
  const page = source("frame.html")
    .replace("/*STYLE*/", () => source("page.css"))
    .replace("/*SCRIPT*/", () => script);
  writeFileSync(join(root, "dist", "diagram", "page.html"), page);
}

/** The module at `main` and all that it needs, as one script. */
export function bundle(root, main) {
  const parts = [];
  const done = new Set();
  const nameOf = (path) => `$${relative(root, path).replace(/\.js$/, "").replaceAll(/[^A-Za-z0-9]/g, "_")}`;
  const visit = (path) => {
    if (done.has(path)) return;
    done.add(path);
    const exported = [];
    const text = readFileSync(path, "utf8")
      .replace(IMPORT, (_, names, whole, specifier) => {
        const needed = join(dirname(path), specifier);
        visit(needed);
        return `const ${whole ?? names.replaceAll(" as ", ": ")} = ${nameOf(needed)};\n`;
      })
      .replace(EXPORT, (_, name) => {
        exported.push(name);
        return "";
      });
    const left = /^(?:import|export)\b.*/m.exec(text.replace(/^export \{\};\n/m, ""));
    if (left !== null) throw new Error(`${path}: "${left[0]}" is no import or export that can be bundled`);
    const body = text.replace(/^export \{\};\n/m, "").replace(/^\/\/# sourceMappingURL.*\n?/m, "");
    parts.push(`const ${nameOf(path)} = (() => {\n${body}return { ${exported.join(", ")} };\n})();`);
  };
  visit(main);
  // What looks like the end of a script to a browser is none.
  return `"use strict";\n${parts.join("\n")}`.replaceAll("</script", "<\\/script");
}
