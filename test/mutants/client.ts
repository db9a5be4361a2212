/** Bugs of the part of a driver that decides what may be repeated, and what may be said when no answer comes. */
import type { Mutant } from "../../cli/mutant.ts";

const CALL = "core/client/call.ts";

function mutant(
  name: string, seenIn: string | null, story: string, file: string, before: string, after: string,
): Mutant {
  return { name, story, seenIn, database: "model", isControl: false, patches: [{ file, before, after }] };
}

export const CLIENT_MUTANTS: readonly Mutant[] = [
  mutant(
    "client: says no for maybe",
    "go-dqlite #186",
    "A write without an answer is reported as surely not executed.",
    CALL,
    'return { ok: false, failure: failure("OutcomeUnknown", message) };',
    'return { ok: false, failure: failure("Timeout", message) };',
  ),
  mutant(
    "client: repeats a write whose outcome it does not know",
    null,
    "The next leader is asked to do once more what the last one may have done.",
    CALL,
    '    case "script":\n    case "commit":\n      return "write";',
    '    case "script":\n      return "repeatable";\n    case "commit":\n      return "write";',
  ),
  mutant(
    "client: a session forgets what it has written",
    "kin: MongoDB secondaries without causal consistency",
    "The indexes that its writes were answered with do not become its token: a follower that lags does not show them.",
    "core/client/client.ts",
    "    this.reads.saw(message.index);\n",
    "",
  ),
];
