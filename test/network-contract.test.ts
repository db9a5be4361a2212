/** The network's contract on real sockets, and on the simulated network in good weather. */
import type { NodeId } from "../core/types.ts";
import type { Address } from "../io/address.ts";
import { Listener } from "../io/listener.ts";
import { PeerLink } from "../io/peer-link.ts";
import { Chance } from "../sim/chance.ts";
import { FAIR_WEATHER, SimulatedNetwork } from "../sim/network.ts";
import type { Packet } from "../sim/packet.ts";
import { Scheduler } from "../sim/scheduler.ts";
import { Tally } from "../sim/tally.ts";
import { type NetworkTwin, testNetworkContract } from "./contract-network.ts";

const NODES = [0, 1, 2];
const IDS = ["a", "b", "c"] as NodeId[];
const LIMITS = { maxFrameBytes: 2_000_000, maxQueuedBytes: 64_000_000, beatMs: 1000 };

type Heard = [number, Uint8Array][];

interface RealNode {
  readonly address: Address;
  readonly listener: Listener;
  links: ReadonlyMap<number, PeerLink>;
}

/** A listener for each node, and a link from each to each other. */
async function realTwin(): Promise<NetworkTwin> {
  const heard: Heard[] = NODES.map(() => []);
  const nodes: (RealNode | null)[] = [];
  const listen = async (node: number, port: number): Promise<RealNode> => {
    const received: Heard = [];
    heard[node] = received;
    const listener = new Listener(
      {
        address: { host: "127.0.0.1", port }, maxPeerFrameBytes: LIMITS.maxFrameBytes, maxClientFrameBytes: 1,
        maxQueuedBytes: LIMITS.maxQueuedBytes, beatMs: LIMITS.beatMs,
        doorkeeper: () => ({ node: IDS[node]!, identity: null }),
      },
      {
        peerReceived: (from, bytes) => received.push([IDS.indexOf(from), bytes]),
        clientReceived: () => {}, clientGone: () => {}, refused: () => {},
      },
    );
    return { address: await listener.listen(), listener, links: new Map() };
  };
  const link = (node: number): ReadonlyMap<number, PeerLink> => new Map(NODES.filter((to) => to !== node).map((to) => {
    const hello = { role: "peer", cluster: null, incarnation: null, node: IDS[node]!, target: IDS[to]! } as const;
    const options = { peer: IDS[to]!, address: addresses[to]!, limits: LIMITS, hello: () => hello };
    return [to, new PeerLink(options, { connected: () => {}, received: () => {}, lost: () => {}, refused: () => {} })];
  }));
  const connected = async (): Promise<void> => {
    const all = (): PeerLink[] => nodes.flatMap((node) => (node === null ? [] : [...node.links.values()]));
    while (!all().every((one) => one.status().connected)) await pause();
  };
  for (const node of NODES) nodes[node] = await listen(node, 0);
  const addresses = nodes.map((node) => node!.address);
  for (const node of NODES) nodes[node]!.links = link(node);
  await connected();
  const stop = async (at: number): Promise<void> => {
    const node = nodes[at]!;
    nodes[at] = null;
    for (const one of node.links.values()) one.close();
    await node.listener.close();
  };
  return {
    send: (from, to, bytes) => nodes[from]!.links.get(to)!.send(bytes),
    heard: (node) => heard[node]!,
    until: async (node, count) => {
      while (heard[node]!.length < count) await pause();
    },
    stop,
    restart: async (at) => {
      nodes[at] = await listen(at, addresses[at]!.port);
      nodes[at]!.links = link(at);
      await connected();
    },
    close: async () => {
      for (const at of NODES) if (nodes[at] !== null) await stop(at);
    },
  };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}

/** What is due arrives at a node if it runs, as sim/cluster.ts has it. */
async function simulatedTwin(): Promise<NetworkTwin> {
  const scheduler = new Scheduler<Packet>();
  const network = new SimulatedNetwork(["a", "b", "c"], FAIR_WEATHER, new Chance(1), new Tally(), (at, packet) => {
    scheduler.schedule(at, packet);
  });
  const heard: (Heard | null)[] = NODES.map(() => []);
  const settle = async (): Promise<void> => {
    while (scheduler.size > 0) {
      const packet = scheduler.take();
      heard[packet.to]?.push([packet.from, packet.bytes!]);
    }
  };
  return {
    send: (from, to, bytes) => network.send(scheduler.now, from, to, null, bytes),
    heard: (node) => heard[node] ?? [],
    until: settle,
    stop: async (node) => void (heard[node] = null),
    restart: async (node) => {
      await settle();
      heard[node] = [];
    },
    close: settle,
  };
}

testNetworkContract("real network", realTwin);
testNetworkContract("simulated network", simulatedTwin);
