/**
 * What nodes may expect of a network in good weather, as tests, run on real sockets and on the simulated twin. In bad
 * weather nothing is promised but this: what arrives was sent, by whom it says, and is unharmed.
 */
import { expect, test } from "vitest";

/** Nodes 0, 1 and 2, each running and able to reach the others. */
export interface NetworkTwin {
  send(from: number, to: number, bytes: Uint8Array): void;
  /** What a node has heard in its present life: sender and bytes, in the order of arrival. */
  heard(node: number): readonly (readonly [number, Uint8Array])[];
  /** Waits until a node has heard so many messages in its present life. */
  until(node: number, count: number): Promise<void>;
  /** The node's process ends. */
  stop(node: number): Promise<void>;
  /** A new process in its place, which hears and is heard again. */
  restart(node: number): Promise<void>;
  close(): Promise<void>;
}

const message = (number: number, size = 4): Uint8Array => {
  const bytes = new Uint8Array(size).fill(number);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
};

const numbers = (heard: readonly (readonly [number, Uint8Array])[], from: number): number[] =>
  heard.filter(([sender]) => sender === from).map(([, bytes]) => Buffer.from(bytes).readUInt32BE(0));

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

export function testNetworkContract(name: string, makeTwin: () => Promise<NetworkTwin>): void {
  const contract = (rule: string, body: (network: NetworkTwin) => Promise<void>): void => {
    test(`${name}: ${rule}`, async () => {
      const network = await makeTwin();
      try {
        await body(network);
      } finally {
        await network.close();
      }
    });
  };

  contract("messages of one node to another arrive once and in order, under its name", async (network) => {
    for (const number of upTo(200)) {
      network.send(0, 2, message(number));
      network.send(1, 2, message(number));
    }
    await network.until(2, 400);
    expect(numbers(network.heard(2), 0)).toEqual(upTo(200));
    expect(numbers(network.heard(2), 1)).toEqual(upTo(200));
  });

  contract("a message arrives unharmed whatever its size, and at its addressee only", async (network) => {
    const sizes = [4, 1007, 1008, 1009, 65_536, 1_000_000];
    sizes.forEach((size, at) => network.send(0, 1, message(at, size)));
    await network.until(1, sizes.length);
    network.heard(1).forEach(([from, bytes], at) => {
      expect([from, Buffer.compare(bytes, message(at, sizes[at]!))]).toEqual([0, 0]);
    });
    expect([network.heard(0), network.heard(2)]).toEqual([[], []]);
  });

  contract("what is sent to a node that has ended is lost, and disturbs nobody", async (network) => {
    await network.stop(1);
    for (const number of upTo(50)) {
      network.send(0, 1, message(1000 + number));
      network.send(0, 2, message(number));
    }
    await network.until(2, 50);
    expect(numbers(network.heard(2), 0)).toEqual(upTo(50));
    await network.restart(1);
    network.send(0, 1, message(7));
    network.send(1, 0, message(8));
    await network.until(1, 1);
    await network.until(0, 1);
    expect(numbers(network.heard(1), 0)).toEqual([7]);
    expect(numbers(network.heard(0), 1)).toEqual([8]);
  });
}
