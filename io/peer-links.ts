/**
 * The links to all peers whose address is known: made, moved and dropped as the list of peers changes. Whom to list is
 * not decided here: the driver takes it from the configuration in force.
 */
import type { NodeId } from "../core/types.ts";
import { sameAddress, type Address } from "./address.ts";
import type { PeerLink, PeerLinkStatus } from "./peer-link.ts";

export class PeerLinks {
  private readonly linkTo: (peer: NodeId, address: Address) => PeerLink;
  private readonly links = new Map<NodeId, PeerLink>();

  constructor(linkTo: (peer: NodeId, address: Address) => PeerLink) {
    this.linkTo = linkTo;
  }

  /** From now on these, and no others. What stays as it is is not disturbed. */
  follow(addresses: ReadonlyMap<NodeId, Address>): void {
    for (const [peer, link] of this.links) {
      const address = addresses.get(peer);
      if (address !== undefined && sameAddress(address, link.address)) continue;
      link.close();
      this.links.delete(peer);
    }
    for (const [peer, address] of addresses) {
      if (!this.links.has(peer)) this.links.set(peer, this.linkTo(peer, address));
    }
  }

  to(peer: NodeId): PeerLink | null {
    return this.links.get(peer) ?? null;
  }

  status(): ReadonlyMap<NodeId, PeerLinkStatus> {
    return new Map([...this.links].map(([peer, link]) => [peer, link.status()]));
  }

  close(): void {
    this.follow(new Map());
  }
}
