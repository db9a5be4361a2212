#!/usr/bin/env node
/** The package's command. Each subcommand is a module of its own; this one only finds it. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { EXIT } from "./exit-code.ts";
import { start, START_USAGE } from "./start.ts";

const USAGE = `quorumlite: replicated SQLite

  quorumlite start ...     run one node of a cluster
  quorumlite sim ...       run a simulated cluster through faults, from a seed
  quorumlite demo          three processes, one of them killed again and again, and not a write lost

  quorumlite COMMAND --help tells more; --version prints the version.`;

async function main([command, ...args]: readonly string[]): Promise<number> {
  const wantsHelp = args.includes("--help") || args.includes("-h");
  switch (command) {
    case "start":
      return wantsHelp ? print(START_USAGE) : start(args);
    case "sim":
    case "demo":
      return runProgram(command, args);
    case "--version":
      return print((createRequire(import.meta.url)("../../package.json") as { version: string }).version);
    case "--help":
    case "-h":
    case "help":
      return print(USAGE);
    default:
      console.error(command === undefined ? USAGE : `quorumlite: there is no command "${command}"\n\n${USAGE}`);
      return EXIT.usage;
  }
}

/** Programs with a main module of their own, as `npm run sim` runs them. */
function runProgram(name: string, args: readonly string[]): number {
  const { status } = spawnSync(process.execPath, [`${import.meta.dirname}/${name}.js`, ...args], { stdio: "inherit" });
  return status ?? EXIT.bug;
}

function print(text: string): number {
  console.log(text);
  return EXIT.ok;
}

// A bug: what led to it has been written out where it was found.
process.on("uncaughtException", (error) => {
  console.error(error);
  process.exit(EXIT.bug);
});

process.exitCode = await main(process.argv.slice(2));
