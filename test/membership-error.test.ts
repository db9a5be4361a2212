/** Every refusal of consensus has its sentence: what is so, and what to do. */
import { expect, test } from "vitest";
import {
  changeRefused, changeUnknown, transferAborted, transferRefused, type ChangeRefusalReason,
} from "../cli/membership-error.ts";

/** Written as a record so that the compiler demands a line for each reason. */
const REFUSALS: Readonly<Record<ChangeRefusalReason, readonly [string, RegExp]>> = {
  notLeader: ["NotLeader", /only the leader changes the cluster: ask b, which leads now/],
  notReady: ["NotReady", /ask again in a moment/],
  pending: ["ChangePending", /ask again when it is done/],
  notHeard: ["NotHeard", /d has not asked this node to be let in: start it with an empty directory/],
  notCaughtUp: ["NotCaughtUp", /call setRole\("d", "voter"\) again later/],
  noChange: ["AlreadyMember", /d is a member already, .* and setRole gives it another/],
  sameNode: ["AlreadyMember", /remove that first/],
  stillAlive: ["MemberAlive", /ask again a few seconds later, or remove it first/],
  unknownMember: ["UnknownMember", /d is no member of this cluster/],
  noVoters: ["NoVoters", /add another voter first/],
  tooMany: ["TooManyMembers", /at most 64 members/],
  impossibleMember: ["InvalidMember", /at most 255 characters/],
  version: ["WrongVersion", /upgrade it first/],
};

const saying = (pattern: RegExp): string => expect.stringMatching(pattern) as string;

test.each(Object.entries(REFUSALS))("a change refused as %s is %s", (reason, [code, message]) => {
  const error = changeRefused(reason as ChangeRefusalReason, "d", "b");
  expect([error.name, error.code, error.leader]).toEqual(["MembershipError", code, "b"]);
  expect(error.message).toMatch(message);
});

test("without a leader nobody is named", () => {
  const error = changeRefused("notLeader", "d", null);
  expect([error.code, error.leader]).toEqual(["NotLeader", null]);
  expect(error.message).toMatch(/none is known now/);
});

test("a hand-over that did not come about says why", () => {
  expect(transferRefused("notLeader", "c", "b").message).toMatch(/only the leader hands leadership over: ask b/);
  expect(transferRefused("pending", "c", "b")).toMatchObject({ code: "ChangePending" });
  expect(transferRefused("notVoter", "c", "b")).toMatchObject({ code: "NotVoter", message: saying(/c does not vote/) });
  expect(transferRefused("noTarget", null, "b")).toMatchObject({ code: "NoTarget", message: saying(/no other voter/) });
  expect(transferRefused("noTarget", "b", "b")).toMatchObject({ code: "NoTarget", message: saying(/b leads already/) });
  const aborted = transferAborted("c", "b");
  expect(aborted).toMatchObject({ code: "TransferAborted", message: saying(/c did not take over in time/) });
  expect(transferAborted(null, "b").message).toMatch(/the node that suits best did not take over/);
});

test("a change that was lost sight of is never called refused", () => {
  expect(changeUnknown("d", null)).toMatchObject({ code: "OutcomeUnknown", message: saying(/it may yet come about/) });
});
