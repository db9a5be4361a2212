/** A run in words: what happens, one line an event, for people who read a failed run from its end upwards. */
import { unreachable } from "../../core/invariant.ts";
import type { Happening, Witness } from "../happening.ts";
import { describeEffect, describeInput, inWords } from "./describe.ts";

/** A witness that writes lines. */
export function traceInto(print: (line: string) => void): Witness {
  return (now, happening) => {
    for (const line of linesOf(now, happening)) print(`${(now / 1e6).toFixed(6)} ${line}`);
  };
}

function linesOf(now: number, happening: Happening): readonly string[] {
  switch (happening.type) {
    case "Opened":
      return [];
    case "Phase":
      return [happening.name];
    case "NodeStarted":
      return [`${happening.node} starts life ${happening.life}`];
    case "NodeCrashed":
      return [`${happening.node} ${happening.losesPower ? "loses power" : "is killed"}`];
    case "NodeHalted":
      return [`${happening.node} halted: ${JSON.stringify(happening.reason)}`];
    case "NodePaused": {
      const ms = Math.round((happening.until - now) / 1000);
      return [`${happening.node} ${happening.isFrozen ? "is frozen" : "stands still"} for ${ms} ms`];
    }
    case "DiskLost":
      return [`${happening.node} loses its disk`];
    case "NodeStepping":
      return [`${happening.node} ${describeInput(happening.input)}`];
    case "NodeStepped":
      return happening.effects.map((effect) => `${happening.node}   ${describeEffect(effect)}`);
    case "ClientStarted":
      return [`${happening.application} starts`];
    case "ClientDied":
      return [`${happening.application} dies`];
    case "ClientStepped": {
      const { application, input, effects } = happening;
      const called = input.type === "Called" ? [`${application} ${inWords(input)}`] : [];
      const returned = effects.filter(({ type }) => type === "Return");
      return [...called, ...returned.map((effect) => `${application} ${inWords(effect)}`)];
    }
    // They are in the steps of those who send and receive them.
    case "PacketSent":
    case "PacketReceived":
      return [];
    case "CutBegan":
    case "CutMended": {
      const { kind, sources, targets, oneWay } = happening.cut;
      const links = `${sources.join(",")} ${oneWay ? "->" : "<->"} ${targets.join(",")}`;
      return [`${kind} ${links}${happening.type === "CutMended" ? " mended" : ""}`];
    }
    case "DiskTroubled":
      return [`${happening.node}: ${happening.kind}${happening.until === 0 ? " is over" : ""}`];
    case "Struck":
      return [`${happening.node}: ${happening.text}`];
    case "Marked":
      return [`mark ${happening.mark}`];
    case "Failed":
      return [`FAILED ${happening.violation.oracle}: ${happening.violation.message}`];
    default:
      return unreachable(happening);
  }
}
