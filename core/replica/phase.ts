/**
 * The phases of a Replica's life, and what it has in each.
 *
 *     new -> recovering -> claiming -> empty -> founding -> running -> closing -> closed
 *                 |                      ^                     ^
 *                 +----------------------+---------------------+       any -> halted
 *
 * recovering: storage reads the directory. claiming: the directory is new, the identity of an empty node is being
 * written. empty: of no cluster, and asking (bootstrap.ts). founding: the cluster is being written. running: Raft.
 */
import type { Raft } from "../raft/raft.ts";
import type { Recovered } from "../storage/boundary.ts";
import type { ClusterIdentity } from "../types.ts";
import type { Bootstrap } from "./bootstrap.ts";
import type { ReplicaPhase } from "./boundary.ts";
import type { Correspondence } from "./correspondence.ts";

/** What belongs to a phase exists only in that phase. */
export type Phase =
  | { readonly type: Exclude<ReplicaPhase, "claiming" | "empty" | "founding" | "running"> }
  | { readonly type: "claiming"; readonly recovered: Recovered }
  | {
      readonly type: "empty";
      readonly recovered: Recovered;
      readonly letters: Correspondence;
      readonly bootstrap: Bootstrap;
    }
  | { readonly type: "founding"; readonly recovered: Recovered; readonly letters: Correspondence }
  | {
      readonly type: "running";
      readonly letters: Correspondence;
      readonly cluster: ClusterIdentity;
      readonly raft: Raft;
    };

export type PhaseOf<Type extends ReplicaPhase> = Phase & { readonly type: Type };
