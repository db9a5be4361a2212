/** Requests to a node that are answered later: each gets its number, and whoever asked a promise. */
import type { RequestNumber } from "../core/types.ts";

export class OpenRequests<Outcome> {
  private readonly nextNumber: () => RequestNumber;
  private readonly open = new Map<RequestNumber, (outcome: Outcome | null) => void>();
  private isOver = false;

  constructor(nextNumber: () => RequestNumber) {
    this.nextNumber = nextNumber;
  }

  /** Resolves to null if the node ends before it is answered. */
  ask(send: (request: RequestNumber) => void): Promise<Outcome | null> {
    if (this.isOver) return Promise.resolve(null);
    const request = this.nextNumber();
    return new Promise((resolve) => {
      this.open.set(request, resolve);
      send(request);
    });
  }

  settle(request: RequestNumber, outcome: Outcome): void {
    const resolve = this.open.get(request);
    this.open.delete(request);
    resolve?.(outcome);
  }

  end(): void {
    this.isOver = true;
    for (const resolve of this.open.values()) resolve(null);
    this.open.clear();
  }
}
