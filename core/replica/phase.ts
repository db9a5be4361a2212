/**
 * The phases of a Replica's life, and what it has in each.
 *
 *     new -> recovering -> claiming -> empty -> founding -> running -> leaving -> closing -> closed
 *                 |                      ^                     ^
 *                 +----------------------+---------------------+       any -> halted
 *
 * recovering: storage reads the directory. claiming: the directory is new, the identity of an empty node is being
 * written. empty: of no cluster, and asking (bootstrap.ts). founding: the cluster is being written. running: Raft.
 * leaving: Raft, until it has handed over what it can. From any phase without Raft it is closed at once.
 */
import type { Recovered } from "../storage/boundary.ts";
import type { Bootstrap } from "./bootstrap.ts";
import type { ReplicaPhase } from "./boundary.ts";
import type { Correspondence } from "./correspondence.ts";
import type { Participant } from "./participant.ts";

/** What belongs to a phase exists only in that phase. */
export type Phase =
  | { readonly type: Exclude<ReplicaPhase, "claiming" | "empty" | "founding" | "running" | "leaving"> }
  | { readonly type: "claiming"; readonly recovered: Recovered }
  | {
      readonly type: "empty";
      readonly recovered: Recovered;
      readonly letters: Correspondence;
      readonly bootstrap: Bootstrap;
    }
  | { readonly type: "founding"; readonly recovered: Recovered; readonly letters: Correspondence }
  | {
      readonly type: "running" | "leaving";
      readonly letters: Correspondence;
      readonly participant: Participant;
    };
