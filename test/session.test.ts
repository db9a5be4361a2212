/** The sessions of a node, beyond what stories can tell. */
import { expect, test } from "vitest";
import { Sessions } from "../core/database/session.ts";
import { Random } from "../core/random.ts";
import type { Instant, Term } from "../core/types.ts";
import { encodeNodeMessage } from "../core/wire/statement-codec.ts";

test("a process may open any number of sessions, each number of which can be said", () => {
  const sessions = new Sessions(Random.fromNumber(1));
  const term = 1 as Term;
  const now = 0 as Instant;
  const old = sessions.open(term, "c", now);
  // The numbers of 53 bits, of which 32 are random, leave 21 to count.
  const count = 2 ** 21 + 10;
  let session = old;
  for (let opened = 0; opened < count; opened++) {
    session = sessions.open(term, "c", now);
    sessions.close(session);
  }
  expect(Number.isSafeInteger(session.number)).toBe(true);
  encodeNodeMessage({ type: "SessionOpened", nonce: 1, term, session: session.number });
  expect(sessions.find(term, old.number)).toBe(old);
});
