/** Random members and configurations for property tests: few nodes, several lives of each, every role. */
import fc from "fast-check";
import { foundingConfiguration, planChange } from "../core/raft/configuration.ts";
import type { Configuration, ConfigurationOperation, Member, MemberRole } from "../core/raft/configuration.ts";
import type { MemberId } from "../core/types.ts";

/** Two lives each of five nodes: that a node may be there only once shows. */
export const MEMBER_IDS = ["a", "b", "c", "d", "e"].flatMap((node) =>
  [1, 2].map((life) => `${node}@${String(life).padStart(16, "0")}` as MemberId),
);

export const memberId = fc.constantFrom(...MEMBER_IDS);

const role = fc.constantFrom<MemberRole>("voter", "voter", "standby", "spare");
/** Text as it is used, of several bytes a character, and the empty one, which means something. */
const text = fc.constantFrom("", "", "rack-1", "127.0.0.1:7001", "größer", "🜲");

export const member: fc.Arbitrary<Member> = fc.record({
  id: memberId, role, address: text, failureDomain: text, priority: fc.constantFrom(0, 100, 255),
});

export const operation: fc.Arbitrary<ConfigurationOperation> = fc.oneof(
  { weight: 3, arbitrary: member.map((each): ConfigurationOperation => ({ type: "put", member: each })) },
  { weight: 2, arbitrary: memberId.map((id): ConfigurationOperation => ({ type: "remove", id })) },
);

/** Those that a history of changes leads to: `changes` many, the ones that are refused leave things as they are. */
export function configurationAfter(
  founders: readonly MemberId[], changes: readonly (readonly ConfigurationOperation[])[],
): Configuration {
  let current = foundingConfiguration(founders);
  for (const operations of changes) {
    const planned = planChange(current, operations);
    if (planned.ok) current = { ...planned.configuration, outgoing: [] };
  }
  return current;
}

const founders = fc.subarray(MEMBER_IDS.filter((_, at) => at % 2 === 0), { minLength: 1 });
const history = fc.array(fc.array(operation, { minLength: 1, maxLength: 4 }), { maxLength: 4 });

export const simpleConfiguration: fc.Arbitrary<Configuration> = fc
  .tuple(founders, history)
  .map(([ids, changes]) => configurationAfter(ids, changes));

/** Simple and joint ones. */
export const configuration: fc.Arbitrary<Configuration> = fc
  .tuple(simpleConfiguration, fc.array(operation, { maxLength: 4 }), fc.integer({ min: 1, max: 4_294_967_295 }))
  .map(([current, operations, version]) => {
    const planned = planChange(current, operations);
    return { ...(planned.ok ? planned.configuration : current), version };
  });
