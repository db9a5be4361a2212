/**
 * A node's one port. Peers and clients call it; the first frame, the hello, says who it is and is judged by
 * core/wire. Whoever says no hello in time, or a wrong one, is told why and shut out, and nobody else notices.
 *
 * What we say to a peer goes over the connection that we made to it (peer-links.ts), and only where there is none over
 * the one that it made to us: so two nodes reach each other as soon as one of them knows the other's address.
 */
import net from "node:net";
import type { ClientId } from "../core/database/boundary.ts";
import type { NodeId } from "../core/types.ts";
import { MAX_HELLO_BYTES, type Doorkeeper, encodeHelloAnswer, judgeHello } from "../core/wire/hello.ts";
import type { Address } from "./address.ts";
import { Connection } from "./connection.ts";

const HELLO_WAIT_MS = 5000;

export interface ListenerEvents {
  peerReceived(from: NodeId, bytes: Uint8Array): void;
  clientReceived(from: ClientId, bytes: Uint8Array): void;
  clientGone(from: ClientId): void;
  /** A caller was shut out, or a connection ended by a fault of the other side. For operators. */
  refused(caller: string, why: string): void;
}

export interface ListenerOptions {
  readonly address: Address;
  /** Largest frame accepted once the hello is. */
  readonly maxPeerFrameBytes: number;
  readonly maxClientFrameBytes: number;
  readonly maxQueuedBytes: number;
  readonly beatMs: number;
  /** Who we are, as known at the moment of a call. */
  doorkeeper(): Doorkeeper;
}

/** A caller whose hello was accepted. */
interface Guest {
  received(body: Uint8Array): void;
  gone(): void;
}

export class Listener {
  private readonly options: ListenerOptions;
  private readonly events: ListenerEvents;
  private readonly server: net.Server;
  private readonly connections = new Set<Connection>();
  private readonly peers = new Map<NodeId, Connection>();
  private readonly clients = new Map<ClientId, Connection>();
  private clientCount = 0;

  constructor(options: ListenerOptions, events: ListenerEvents) {
    this.options = options;
    this.events = events;
    this.server = net.createServer((socket) => this.accept(socket));
  }

  /** Rejects with the system's error: the address is in use, or not ours. Returns where it listens. */
  listen(): Promise<Address> {
    const { host, port } = this.options.address;
    return new Promise((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen({ host, port }, () => {
        this.server.off("error", reject);
        // Accepting one connection may fail (too many open files); those that stand are not concerned.
        this.server.on("error", (error) => this.events.refused("a caller", error.message));
        resolve({ host, port: (this.server.address() as net.AddressInfo).port });
      });
    });
  }

  /** Over the connection that the peer has made to us. False: there is none. */
  sendToPeer(peer: NodeId, bytes: Uint8Array): boolean {
    const connection = this.peers.get(peer);
    connection?.send(bytes);
    return connection !== undefined;
  }

  isCalledBy(peer: NodeId): boolean {
    return this.peers.has(peer);
  }

  respond(client: ClientId, bytes: Uint8Array): void {
    this.clients.get(client)?.send(bytes);
  }

  disconnect(client: ClientId, why: string): void {
    this.clients.get(client)?.end(why);
  }

  /** Sends what waits, and ends all connections. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const connection of this.connections) connection.end("this node is closing");
    await closed;
  }

  private accept(socket: net.Socket): void {
    const caller = `${socket.remoteAddress ?? "somebody"}:${socket.remotePort ?? 0}`;
    const { maxQueuedBytes, beatMs } = this.options;
    let guest: Guest | null = null;
    const connection = new Connection(socket, { maxFrameBytes: MAX_HELLO_BYTES, maxQueuedBytes, beatMs }, {
      received: (body) => {
        clearTimeout(patience);
        if (guest !== null) guest.received(body);
        else guest = this.admit(connection, caller, body);
      },
      closed: ({ type, detail }) => {
        clearTimeout(patience);
        this.connections.delete(connection);
        guest?.gone();
        if (type === "fault") this.events.refused(caller, detail);
      },
    });
    const patience = setTimeout(() => this.refuse(connection, caller, "it did not say hello"), HELLO_WAIT_MS);
    this.connections.add(connection);
  }

  /** Answers the hello; null: the caller was shut out. */
  private admit(connection: Connection, caller: string, first: Uint8Array): Guest | null {
    const doorkeeper = this.options.doorkeeper();
    const judgement = judgeHello(first, doorkeeper);
    connection.send(encodeHelloAnswer(judgement, doorkeeper));
    if (!judgement.accepted) return this.refuse(connection, caller, judgement.detail);
    const { node } = judgement.hello;
    const { maxPeerFrameBytes, maxClientFrameBytes } = this.options;
    if (!connection.widen(node === null ? maxClientFrameBytes : maxPeerFrameBytes)) {
      return this.refuse(connection, caller, "it spoke before its hello was answered");
    }
    return node === null ? this.admitClient(connection) : this.admitPeer(connection, node);
  }

  private refuse(connection: Connection, caller: string, why: string): null {
    connection.end(why);
    this.events.refused(caller, why);
    return null;
  }

  private admitPeer(connection: Connection, peer: NodeId): Guest {
    // A peer calls again when it has restarted, or when it holds the old connection for dead.
    this.peers.get(peer)?.close("the peer called again");
    this.peers.set(peer, connection);
    return {
      received: (body) => this.events.peerReceived(peer, body),
      gone: () => {
        if (this.peers.get(peer) === connection) this.peers.delete(peer);
      },
    };
  }

  private admitClient(connection: Connection): Guest {
    const client: ClientId = `client-${++this.clientCount}`;
    this.clients.set(client, connection);
    return {
      received: (body) => this.events.clientReceived(client, body),
      gone: () => {
        this.clients.delete(client);
        this.events.clientGone(client);
      },
    };
  }
}
