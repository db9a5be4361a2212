/**
 * What clients and nodes say to each other over connections: who opens them, who hears of their end, and what becomes
 * of a packet whose connection is no more. The operating system of a machine answers for processes that are gone; a
 * machine without power says nothing, and the other side is left with a connection to nobody.
 */
import type { Endpoint } from "../core/client/boundary.ts";
import type { ClientId } from "../core/database/boundary.ts";
import { invariant } from "../core/invariant.ts";
import type { NodeInput } from "../core/node/boundary.ts";
import type { Random } from "../core/random.ts";
import type { ClientProcess } from "./client-process.ts";
import { openConnection, type Connection } from "./connection.ts";
import type { SimulatedNetwork } from "./network.ts";
import type { Packet } from "./packet.ts";
import type { NodeProcess } from "./process.ts";
import type { Tally } from "./tally.ts";

export interface TrafficWorld {
  readonly now: number;
  readonly network: SimulatedNetwork;
  readonly nodes: readonly NodeProcess[];
  readonly clients: readonly ClientProcess[];
  stepNode(node: NodeProcess, input: NodeInput): void;
}

export class ClientTraffic {
  private readonly world: TrafficWorld;
  private readonly tally: Tally;
  /** Those that are open at one end at least. */
  private readonly connections = new Map<ClientId, Connection>();
  private opened = 0;

  constructor(world: TrafficWorld, tally: Tally) {
    this.world = world;
    this.tally = tally;
  }

  /** A client's bytes to a node, over the connection that it has or a new one. */
  request(client: ClientProcess, to: Endpoint, bytes: Uint8Array): void {
    let connection = client.connections.get(to);
    if (connection === undefined) {
      const node = this.world.nodes.find((other) => other.id === to);
      invariant(node !== undefined, "a client sends to endpoints that it was given");
      connection = openConnection(++this.opened, client.address, client.life, node.address);
      client.connections.set(to, connection);
      this.connections.set(connection.id, connection);
    }
    if (connection.abandoned) this.tally.effect("newsLost");
    this.send(connection, "node", bytes);
  }

  /** A node's bytes to a client; nothing happens where its connection is gone. */
  respond(to: ClientId, bytes: Uint8Array): void {
    const connection = this.connections.get(to);
    if (connection !== undefined && connection.nodeOpen) this.send(connection, "client", bytes);
  }

  arrive(packet: Packet, connection: Connection): void {
    if (packet.to === connection.node) this.arriveAtNode(packet, connection);
    else this.arriveAtClient(packet, connection);
  }

  /** `tell`: its operating system lives on and resets what the process had open. */
  nodeDied(node: NodeProcess, tell: boolean): void {
    const ended = [...this.connections.values()].filter((connection) => {
      return connection.node === node.address && connection.nodeLife === node.life && connection.nodeOpen;
    });
    for (const connection of ended) {
      this.closeAtNode(connection);
      if (tell) {
        this.send(connection, "client", null);
      } else if (connection.clientOpen) {
        connection.abandoned = true;
        this.tally.inject("newsLost");
      }
    }
  }

  clientDied(client: ClientProcess, tell: boolean): void {
    for (const connection of client.connections.values()) {
      this.closeAtClient(connection);
      if (tell) this.send(connection, "node", null);
    }
  }

  /** Breaks a connection that both sides use; either hears of it in its own time. False: there is none. */
  reset(random: Random): boolean {
    const used = [...this.connections.values()].filter((connection) => connection.nodeLife > 0);
    if (used.length === 0) return false;
    const connection = random.pick(used);
    this.send(connection, "client", null);
    this.send(connection, "node", null);
    return true;
  }

  private arriveAtNode(packet: Packet, connection: Connection): void {
    const node = this.world.nodes[connection.node]!;
    const isRunning = node.machine !== null;
    if (connection.nodeLife === 0 && isRunning) connection.nodeLife = node.life;
    const isOpen = isRunning && connection.nodeOpen && connection.nodeLife === node.life;
    if (packet.bytes === null) {
      if (!isOpen) return;
      this.closeAtNode(connection);
      return this.world.stepNode(node, { type: "ClientGone", from: connection.id });
    }
    if (!isOpen) {
      if (node.powered) this.send(connection, "client", null);
      return;
    }
    this.world.network.received(this.world.now, packet);
    if (packet.isBroken) {
      this.send(connection, "client", null);
      this.closeAtNode(connection);
      return this.world.stepNode(node, { type: "ClientGone", from: connection.id });
    }
    const wallMs = node.clock.wallMs(this.world.now);
    this.world.stepNode(node, { type: "ClientReceived", from: connection.id, bytes: packet.bytes, wallMs });
  }

  private arriveAtClient(packet: Packet, connection: Connection): void {
    const client = this.world.clients.find((other) => other.address === connection.client)!;
    if (!connection.clientOpen || connection.clientLife !== client.life) return;
    const endpoint = this.world.nodes[connection.node]!.id;
    if (packet.bytes !== null) this.world.network.received(this.world.now, packet);
    if (packet.bytes === null || packet.isBroken) {
      if (packet.isBroken) this.send(connection, "node", null);
      this.closeAtClient(connection);
      client.connections.delete(endpoint);
      return client.stepClient({ type: "ConnectionLost", endpoint });
    }
    client.stepClient({ type: "Received", from: endpoint, bytes: packet.bytes });
  }

  private closeAtNode(connection: Connection): void {
    connection.nodeOpen = false;
    this.forgetIfClosed(connection);
  }

  private closeAtClient(connection: Connection): void {
    connection.clientOpen = false;
    // Where the node has not heard of it yet, it never will.
    if (connection.nodeLife === 0) connection.nodeOpen = false;
    this.forgetIfClosed(connection);
  }

  private forgetIfClosed(connection: Connection): void {
    if (!connection.clientOpen && !connection.nodeOpen) this.connections.delete(connection.id);
  }

  /** `bytes` null: the connection is reset. */
  private send(connection: Connection, to: "node" | "client", bytes: Uint8Array | null): void {
    const { client, node } = connection;
    const { network, now } = this.world;
    if (to === "node") network.send(now, client, node, connection, bytes);
    else network.send(now, node, client, connection, bytes);
  }
}
