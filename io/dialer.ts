/**
 * One call to a node: connect, say hello, wait for the answer, then exchange frames, until it ends. A call that ended
 * is not repeated here: peer-link.ts and client-driver.ts know when to call again.
 */
import net from "node:net";
import { decodeHelloAnswer, encodeHello, type Hello, type HelloAnswer } from "../core/wire/hello.ts";
import type { Address } from "./address.ts";
import { Connection, type ConnectionLimits } from "./connection.ts";

export interface CallEvents {
  accepted(answer: HelloAnswer): void;
  received(body: Uint8Array): void;
  /** Exactly once, the last event. */
  ended(ending: CallEnding): void;
}

export type CallEnding =
  /** No connection, or it broke. `wasAccepted`: after the hello had been accepted. */
  | { readonly type: "lost"; readonly wasAccepted: boolean; readonly detail: string }
  /** The node said no, and why. Calling again helps only when somebody has changed something. */
  | { readonly type: "refused"; readonly answer: HelloAnswer };

export class Call {
  /** The hello was accepted: frames may be sent. */
  isAccepted = false;
  private readonly connection: Connection;
  private readonly events: CallEvents;
  private refusal: HelloAnswer | null = null;

  constructor(address: Address, hello: Hello, limits: ConnectionLimits, events: CallEvents) {
    this.events = events;
    const socket = net.connect({ host: address.host, port: address.port });
    this.connection = new Connection(socket, limits, {
      received: (body) => this.onBody(body),
      closed: ({ detail }) => {
        const { refusal } = this;
        if (refusal !== null) events.ended({ type: "refused", answer: refusal });
        else events.ended({ type: "lost", wasAccepted: this.isAccepted, detail });
      },
    });
    this.connection.send(encodeHello(hello));
  }

  get droppedFrames(): number {
    return this.connection.droppedFrames;
  }

  send(body: Uint8Array): void {
    this.connection.send(body);
  }

  close(why: string): void {
    this.connection.close(why);
  }

  /** Sends what waits first. */
  end(why: string): void {
    this.connection.end(why);
  }

  private onBody(body: Uint8Array): void {
    if (this.isAccepted) {
      this.events.received(body);
      return;
    }
    const answer = decodeHelloAnswer(body);
    if (!answer.ok) {
      this.connection.close(`the answer to our hello is none: ${answer.fault.rule}`);
    } else if (answer.value.verdict !== "accepted") {
      this.refusal = answer.value;
      this.connection.close(answer.value.detail);
    } else {
      this.isAccepted = true;
      this.events.accepted(answer.value);
    }
  }
}
