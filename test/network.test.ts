/** The real network: frames whole and in order or the connection ends; whoever misbehaves hurts nobody else. */
import net from "node:net";
import { afterEach, expect, test } from "vitest";
import type { ClientId } from "../core/database/boundary.ts";
import type { ClusterId, Identity, Incarnation, NodeId } from "../core/types.ts";
import { encodeFrame, FrameReader } from "../core/wire/frame.ts";
import { decodeHelloAnswer, encodeHello, type Hello, type HelloAnswer } from "../core/wire/hello.ts";
import type { Address } from "../io/address.ts";
import { Call, type CallEnding } from "../io/dialer.ts";
import { Listener } from "../io/listener.ts";
import { PeerLink } from "../io/peer-link.ts";
import { PeerLinks } from "../io/peer-links.ts";

const A = "a" as NodeId;
const B = "b" as NodeId;
const CLUSTER = "c0".repeat(16) as ClusterId;
const BEAT_MS = 100;
const LIMITS = { maxFrameBytes: 1024 * 1024, maxQueuedBytes: 1024 * 1024, beatMs: BEAT_MS };
const CLIENT: Hello = { role: "client", cluster: null, incarnation: null, node: null, target: null };
const PEER_B: Hello = { role: "peer", cluster: CLUSTER, incarnation: null, node: B, target: A };

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

interface Heard {
  readonly peers: [NodeId, Uint8Array][];
  readonly clients: [ClientId, Uint8Array][];
  readonly gone: ClientId[];
  readonly refused: string[];
}

/** Node a, listening. */
async function listen(port = 0): Promise<{ listener: Listener; heard: Heard; address: Address }> {
  const heard: Heard = { peers: [], clients: [], gone: [], refused: [] };
  const identity: Identity = {
    node: A,
    incarnation: "0a".repeat(8) as Incarnation,
    cluster: {
      id: CLUSTER,
      founders: [
        { node: A, incarnation: "0a".repeat(8) as Incarnation },
        { node: B, incarnation: "0b".repeat(8) as Incarnation },
      ],
    },
  };
  const listener = new Listener(
    {
      address: { host: "127.0.0.1", port }, maxPeerFrameBytes: 1024 * 1024, maxClientFrameBytes: 1024 * 1024,
      maxQueuedBytes: 1024 * 1024, beatMs: BEAT_MS, doorkeeper: () => ({ node: A, identity }),
    },
    {
      peerReceived: (from, bytes) => heard.peers.push([from, bytes]),
      clientReceived: (from, bytes) => heard.clients.push([from, bytes]),
      clientGone: (from) => heard.gone.push(from),
      refused: (_caller, why) => heard.refused.push(why),
    },
  );
  const address = await listener.listen();
  opened.push(() => listener.close());
  return { listener, heard, address };
}

interface TestCall {
  readonly call: Call;
  readonly received: Uint8Array[];
  readonly accepted: Promise<HelloAnswer>;
  readonly ended: Promise<CallEnding>;
}

function dial(address: Address, hello: Hello): TestCall {
  const received: Uint8Array[] = [];
  let accepted!: (answer: HelloAnswer) => void;
  let ended!: (ending: CallEnding) => void;
  const acceptedPromise = new Promise<HelloAnswer>((resolve) => (accepted = resolve));
  const endedPromise = new Promise<CallEnding>((resolve) => (ended = resolve));
  const call = new Call(address, hello, LIMITS, { accepted, ended, received: (body) => received.push(body) });
  opened.push(() => call.close("the test is over"));
  return { call, received, accepted: acceptedPromise, ended: endedPromise };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** Bytes on a plain socket, as a stranger may send them; resolves to what came back before the connection ended. */
function sendRaw(address: Address, bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = net.connect(address);
    opened.push(() => socket.destroy());
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(chunks)));
    socket.write(bytes);
  });
}

const body = (size: number, fill: number): Uint8Array => new Uint8Array(size).fill(fill);

test("frames of a peer arrive whole, in order and under its name", async () => {
  const { heard, address } = await listen();
  const { call, accepted } = dial(address, PEER_B);
  expect(await accepted).toMatchObject({ verdict: "accepted", cluster: CLUSTER, node: A });
  const bodies = [1, 100_000, 17, 16 * 1024, 1024 * 1024, 2].map((size, at) => body(size, at + 1));
  for (const one of bodies) {
    call.send(one);
    await until(() => heard.peers.length === bodies.indexOf(one) + 1);
  }
  const compared = heard.peers.map(([from, bytes], at) => [from, Buffer.compare(bytes, bodies[at]!)]);
  expect(compared).toEqual(bodies.map(() => [B, 0]));
});

test("many frames sent in one turn arrive in order", async () => {
  const { heard, address } = await listen();
  const { call, accepted } = dial(address, PEER_B);
  await accepted;
  for (let at = 0; at < 1000; at++) call.send(Uint8Array.of(at & 255, at >> 8));
  await until(() => heard.peers.length === 1000);
  const numbers = heard.peers.map(([, bytes]) => bytes[0]! + 256 * bytes[1]!);
  expect(numbers).toEqual(Array.from({ length: 1000 }, (_, at) => at));
});

test("a client is answered over its own connection, and missed when it is gone", async () => {
  const { listener, heard, address } = await listen();
  const first = dial(address, CLIENT);
  const second = dial(address, CLIENT);
  await first.accepted;
  await second.accepted;
  first.call.send(body(3, 1));
  await until(() => heard.clients.length === 1);
  second.call.send(body(3, 2));
  await until(() => heard.clients.length === 2);
  const [firstId, secondId] = heard.clients.map(([client]) => client);
  expect(firstId).not.toBe(secondId);
  listener.respond(secondId!, body(5, 22));
  listener.respond(firstId!, body(5, 11));
  await until(() => first.received.length + second.received.length === 2);
  expect([first.received, second.received]).toEqual([[body(5, 11)], [body(5, 22)]]);
  first.call.close("enough");
  await until(() => heard.gone.length === 1);
  expect(heard.gone).toEqual([firstId]);
  listener.respond(firstId!, body(5, 11));
  listener.disconnect(secondId!, "it sent nonsense");
  expect(await second.ended).toMatchObject({ type: "lost", wasAccepted: true });
  expect(heard.refused).toEqual([]);
});

const withFlippedBit = (bytes: Uint8Array, offset: number): Uint8Array =>
  bytes.map((byte, at) => (at === offset ? byte ^ 1 : byte));
const ofOtherCluster: Hello = { ...PEER_B, cluster: "dd".repeat(16) as ClusterId };
const hugeHeader = encodeFrame(body(5000, 1)).subarray(0, 16);

test.each([
  ["garbage", body(64, 0xee), /not one of quorumlite's frames/],
  ["an HTTP request", new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"), /not one of quorumlite's frames/],
  ["a first frame that is no hello", encodeFrame(body(20, 7)), /no hello of quorumlite/],
  ["a hello of which a bit was flipped", withFlippedBit(encodeFrame(encodeHello(PEER_B)), 30), /checksum/],
  ["an oversized first frame", hugeHeader, /a frame of 5000 bytes was announced, at most 4096/],
  ["a hello for another node", encodeFrame(encodeHello({ ...PEER_B, target: "c" as NodeId })), /this is node a, not c/],
  ["a hello of another cluster", encodeFrame(encodeHello(ofOtherCluster)), /of cluster/],
  ["a hello under our own name", encodeFrame(encodeHello({ ...PEER_B, node: A })), /two nodes bear one name/],
])("%s ends its connection with a reason, and hurts nobody else", async (_name, bytes, why) => {
  const { heard, address } = await listen();
  const { call, accepted, ended } = dial(address, PEER_B);
  await accepted;
  await sendRaw(address, bytes);
  await until(() => heard.refused.length === 1);
  expect(heard.refused[0]).toMatch(why);
  call.send(body(3, 3));
  await until(() => heard.peers.length === 1);
  expect(await Promise.race([ended, "it stands"])).toBe("it stands");
});

test.each([
  ["garbage", body(64, 0xee)],
  ["an oversized frame", ((): Uint8Array => encodeFrame(body(1024 * 1024 + 1, 1)))()],
])("%s from an accepted peer ends the connection, and the peer may call again", async (_name, bytes) => {
  const { heard, address } = await listen();
  const socket = net.connect(address);
  opened.push(() => socket.destroy());
  socket.on("error", () => {});
  socket.write(encodeFrame(encodeHello(PEER_B)));
  await new Promise((resolve) => socket.once("data", resolve));
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.write(encodeFrame(body(2, 1)));
  socket.write(bytes);
  await closed;
  expect(heard.peers).toEqual([[B, body(2, 1)]]);
  expect(heard.refused).toHaveLength(1);
  const again = dial(address, PEER_B);
  await again.accepted;
  again.call.send(body(2, 2));
  await until(() => heard.peers.length === 2);
});

test("whoever is refused learns why from the answer", async () => {
  const { address } = await listen();
  const { ended } = dial(address, { ...PEER_B, target: "c" as NodeId });
  expect(await ended).toMatchObject({ type: "refused", answer: { verdict: "wrongNode", node: A } });
  const reader = new FrameReader(4096);
  const [answer] = reader.push(await sendRaw(address, encodeFrame(body(20, 7))));
  expect(decodeHelloAnswer(answer!)).toMatchObject({ ok: true, value: { verdict: "malformed" } });
});

test("a server that answers nonsense is not taken for a node", async () => {
  const server = net.createServer((socket) => socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const { ended } = dial({ host: "127.0.0.1", port }, CLIENT);
  expect(await ended).toMatchObject({ type: "lost", wasAccepted: false, detail: expect.stringContaining("bad bytes") });
});

test("an address in use is the system's error", async () => {
  const { address } = await listen();
  await expect(listen(address.port)).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("a link calls until the peer is there, drops what it cannot send, and calls again after a restart", async () => {
  const first = await listen();
  const { port } = first.address;
  await first.listener.close();
  const events: string[] = [];
  const link = new PeerLink({ peer: A, address: first.address, limits: LIMITS, hello: () => PEER_B }, {
    connected: () => events.push("connected"), lost: () => events.push("lost"), refused: (why) => events.push(why),
    received: () => {},
  });
  opened.push(() => link.close());
  link.send(body(1, 1));
  await until(() => link.status().calls >= 3);
  expect(link.status()).toMatchObject({ connected: false, dropped: 1 });
  for (const round of [1, 2]) {
    const { listener, heard } = await listen(port);
    await until(() => link.status().connected);
    link.send(body(2, round));
    await until(() => heard.peers.length === 1);
    expect(heard.peers).toEqual([[B, body(2, round)]]);
    await listener.close();
    await until(() => !link.status().connected);
  }
  expect(events).toEqual(["connected", "lost", "connected", "lost"]);
});

test("two nodes under one name, that end each other's connection, do not call without a pause", async () => {
  const { address } = await listen();
  const events = { connected: () => {}, received: () => {}, lost: () => {}, refused: () => {} };
  const links = [1, 2].map(() => new PeerLink({ peer: A, address, limits: LIMITS, hello: () => PEER_B }, events));
  opened.push(() => links.forEach((link) => link.close()));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  // Some to begin with, then one in 160 ms at the most.
  for (const link of links) expect(link.status().calls).toBeLessThan(20);
});

test("a peer that cannot be called is answered over its own call", async () => {
  const { listener, heard, address } = await listen();
  const received: Uint8Array[] = [];
  expect([listener.isCalledBy(B), listener.sendToPeer(B, body(3, 1))]).toEqual([false, false]);
  const link = new PeerLink({ peer: A, address, limits: LIMITS, hello: () => PEER_B }, {
    connected: () => {}, received: (bytes) => received.push(bytes), lost: () => {}, refused: () => {},
  });
  opened.push(() => link.close());
  await until(() => link.isConnected);
  link.send(body(2, 2));
  await until(() => heard.peers.length === 1);
  expect([listener.isCalledBy(B), listener.sendToPeer(B, body(100_000, 3))]).toEqual([true, true]);
  await until(() => received.length === 1);
  expect(Buffer.compare(received[0]!, body(100_000, 3))).toBe(0);
});

test("links follow a list: who moved is called anew, who left no more, and who stays is not disturbed", async () => {
  const [first, second] = [await listen(), await listen()];
  const made: string[] = [];
  const links = new PeerLinks((peer, address) => {
    made.push(`${peer} ${address.port === first.address.port ? "first" : "second"}`);
    return new PeerLink({ peer, address, limits: LIMITS, hello: () => ({ ...PEER_B, target: null }) }, {
      connected: () => {}, received: () => {}, lost: () => {}, refused: () => {},
    });
  });
  opened.push(() => links.close());
  const [x, y] = ["x" as NodeId, "y" as NodeId];
  links.follow(new Map([[x, first.address]]));
  await until(() => links.to(x)!.isConnected);
  const stays = links.to(x);
  links.follow(new Map([[x, { ...first.address }], [y, first.address]]));
  links.follow(new Map([[x, { ...first.address }], [y, second.address]]));
  expect(made).toEqual(["x first", "y first", "y second"]);
  expect(links.to(x)).toBe(stays);
  await until(() => links.to(y)!.isConnected);
  links.follow(new Map([[y, second.address]]));
  expect([links.to(x), [...links.status().keys()]]).toEqual([null, [y]]);
  expect(stays!.isConnected).toBe(false);
});

test("what a peer does not read is bounded: frames are dropped, one after the other, and none is torn", async () => {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const { call } = dial({ host: "127.0.0.1", port }, CLIENT);
  for (let at = 0; at < 200; at++) {
    call.send(body(100_000, at));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(call.droppedFrames).toBeGreaterThan(50);
});

test("a peer that takes content and never answers is given up", async () => {
  const server = net.createServer((socket) => socket.on("error", () => {}).resume());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  opened.push(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const { ended } = dial({ host: "127.0.0.1", port }, CLIENT);
  expect(await ended).toMatchObject({ type: "lost", detail: "nothing was heard for 0.5 s" });
});

test("a connection with one-way traffic stands: pulses answer it", async () => {
  const { heard, address } = await listen();
  const { call, accepted, ended, received } = dial(address, PEER_B);
  await accepted;
  const sender = setInterval(() => call.send(body(1, 1)), 10);
  opened.push(() => clearInterval(sender));
  const outcome = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 700, "it stands"))]);
  expect(outcome).toBe("it stands");
  expect(heard.peers.length).toBeGreaterThan(20);
  expect(received).toEqual([]);
});
