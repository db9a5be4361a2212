/** The options of open() and connect() that are refused, as tables: by name, with the value and what is expected. */
import { expect, test } from "vitest";
import { connect, open, OpenError, type OpenOptions } from "../cli/index.ts";

async function refusal(promise: Promise<unknown>): Promise<OpenError> {
  const error = await promise.then(() => null, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(OpenError);
  return error as OpenError;
}

const CLUSTER = { a: "127.0.0.1:7001", b: "127.0.0.1:7002" };

test.each<[string, unknown, string | null, RegExp]>([
  ["nothing", undefined, null, /open was given undefined: pass an object/],
  ["a string", "data", null, /open was given "data": pass an object of options/],
  ["no directory", {}, "directory", /open needs a directory/],
  ["a directory that is a number", { directory: 7 }, "directory", /directory is 7 \(number\): pass a path/],
  ["an empty directory name", { directory: "" }, "directory", /directory is "": pass a path/],
  ["an unknown option", { directory: "x", adress: "h:1" }, "adress", /no option "adress": open takes directory, id/],
  ["an id that is none", { directory: "x", id: "-a" }, "id", /id is "-a": an id has 1 to 63 letters/],
  ["a cluster without an id", { directory: "x", cluster: CLUSTER }, "id", /id is missing.*\(a, b\)/],
  ["an id not in the cluster", { directory: "x", id: "c", cluster: CLUSTER }, "id", /"c", which cluster does not list/],
  ["an empty cluster", { directory: "x", id: "a", cluster: {} }, "cluster", /cluster is \{\}: pass each node's id/],
  ["a cluster that is a list", { directory: "x", id: "a", cluster: ["h:1"] }, "cluster", /cluster is \["h:1"\]/],
  ["a cluster without a port", { directory: "x", id: "a", cluster: { a: "localhost" } }, "cluster.a", /port/],
  ["a cluster address with port 0", { directory: "x", id: "a", cluster: { a: "h:0" } }, "cluster.a", /know the port/],
  ["a port too large", { directory: "x", address: "127.0.0.1:65536" }, "address", /address is "127.0.0.1:65536"/],
  ["an address twice", { directory: "x", id: "a", cluster: { a: "h:1", b: "h:1" } }, "cluster.b", /both a and b/],
  [
    "an address other than the cluster's", { directory: "x", id: "a", address: "127.0.0.1:7009", cluster: CLUSTER },
    "address", /address is "127.0.0.1:7009", but cluster.a is "127.0.0.1:7001"/,
  ],
  ["cluster and join", { directory: "x", id: "a", cluster: CLUSTER, join: CLUSTER }, "join", /pass one of the two/],
  ["join without an id", { directory: "x", join: CLUSTER }, "id", /give the new node a name of its own/],
  ["join without an address", { directory: "x", id: "c", join: CLUSTER }, "address", /where the other nodes reach/],
  [
    "join by an address for all", { directory: "x", id: "c", address: "0.0.0.0:7003", join: CLUSTER }, "address",
    /address is "0.0.0.0:7003", with join: the other nodes call/,
  ],
  [
    "joining oneself", { directory: "x", id: "a", address: "h:1", join: { a: "h:1" } }, "join",
    /join lists "a" only, which is this node/,
  ],
  ["a join without a port", { directory: "x", id: "c", join: { a: "h" } }, "join.a", /join.a is "h": pass "host:port"/],
  [
    "join at an address of its own", { directory: "x", id: "c", address: "127.0.0.1:7002", join: CLUSTER }, "address",
    /address is "127.0.0.1:7002", and join.b is the same/,
  ],
  ["too many voters", { directory: "x", roles: { voters: 65, standbys: 0 } }, "roles.voters", /odd number up to 64/],
  ["an even number of voters", { directory: "x", roles: { voters: 4, standbys: 0 } }, "roles.voters", /odd number/],
  ["no number of standbys", { directory: "x", roles: { voters: 3 } }, "roles.standbys", /is undefined: pass a whole/],
  ["an unknown role", { directory: "x", roles: { voter: 3 } }, "voter", /no option "voter": roles takes voters/],
  ["a timeout of zero", { directory: "x", callTimeoutMs: 0 }, "callTimeoutMs", /callTimeoutMs is 0 \(number\)/],
  ["an onEvent that is no function", { directory: "x", onEvent: 1 }, "onEvent", /pass a function/],
])("open refuses %s", async (_name, options, option, message) => {
  const error = await refusal(open(options as OpenOptions));
  expect([error.code, error.option]).toEqual(["InvalidOption", option]);
  expect(error.message).toMatch(message);
});

test.each<[string, unknown, unknown, RegExp]>([
  ["no address", [], {}, /addresses is \[\]/],
  ["an address without a port", ["127.0.0.1"], {}, /addresses\[0\] is "127.0.0.1"/],
  ["a number", 7001, {}, /addresses is 7001 \(number\)/],
  ["an unknown option", ["127.0.0.1:7001"], { timeout: 1 }, /no option "timeout": connect takes callTimeoutMs/],
])("connect refuses %s", async (_name, addresses, options, message) => {
  const error = await refusal(connect(addresses as string[], options as { callTimeoutMs: number }));
  expect(error.code).toBe("InvalidOption");
  expect(error.message).toMatch(message);
});
