/** A new cluster of one node, as importing a database and recovering from quorum loss make one: drawn by chance. */
import { randomBytes } from "node:crypto";
import type { ClusterId, ClusterIdentity, Identity, Incarnation, NodeId } from "../core/types.ts";

/** No other cluster has its id, and no other disk of this node its incarnation. */
export function drawOwnCluster(node: NodeId): Identity & { readonly cluster: ClusterIdentity } {
  const incarnation = drawDigits(8) as Incarnation;
  const cluster = { id: drawDigits(16) as ClusterId, founders: [{ node, incarnation }] };
  return { node, incarnation, cluster };
}

/** Never all zeros, which mean "none" in every format. */
function drawDigits(byteCount: number): string {
  const bytes = randomBytes(byteCount);
  if (bytes.every((byte) => byte === 0)) bytes[0] = 1;
  return bytes.toString("hex");
}
