/** The disk operations under way: gives each its ticket and remembers what it is for. */
import { invariant } from "../invariant.ts";
import type { Ticket } from "../types.ts";
import type { DiskOperation, DiskOrder } from "./disk.ts";

export class DiskQueue<Purpose> {
  private readonly underWay = new Map<Ticket, { readonly operation: DiskOperation; readonly purpose: Purpose }>();
  private nextTicket = 1;

  get size(): number {
    return this.underWay.size;
  }

  issue(operation: DiskOperation, purpose: Purpose): DiskOrder {
    const ticket = this.nextTicket++ as Ticket;
    this.underWay.set(ticket, { operation, purpose });
    return { ticket, operation };
  }

  /** The operation and what it was for, now that it has been answered. */
  take(ticket: Ticket): { readonly operation: DiskOperation; readonly purpose: Purpose } {
    const taken = this.underWay.get(ticket);
    invariant(taken !== undefined, "every operation is answered exactly once");
    for (const [other, { operation }] of this.underWay) {
      if (other === ticket) break;
      invariant(!sharesFile(operation, taken.operation), "operations on one file are answered in order");
    }
    this.underWay.delete(ticket);
    return taken;
  }
}

function sharesFile(a: DiskOperation, b: DiskOperation): boolean {
  return filesOf(a).some((file) => filesOf(b).includes(file));
}

/** Whose order the operation takes part in. */
export function filesOf(operation: DiskOperation): readonly string[] {
  if (operation.type === "rename") return [operation.from, operation.to];
  return "file" in operation ? [operation.file] : [];
}
