/** When a majority is gone for good: one survivor's directory becomes a cluster of its own. */
import { PAGE_SIZE } from "../core/sqlite/factory.ts";
import { DEFAULT_STORAGE_LIMITS } from "../core/storage/boundary.ts";
import { completeReplacement } from "../core/storage/directory-replacement.ts";
import { decidesAlone, judgeQuorumLoss, recoverQuorum } from "../core/storage/quorum-recovery.ts";
import { type EntryId, nodeOf } from "../core/types.ts";
import { OfflineDirectory } from "./offline-directory.ts";
import { OperatorError, operatorErrorOf } from "./operator-error.ts";
import { checkFlag, checkOptions } from "./operator-options.ts";
import { drawOwnCluster } from "./own-cluster.ts";

export interface QuorumRecoveryOptions {
  /** Go on although this disk is known to have lost what it had acknowledged. */
  readonly acceptLoss?: boolean;
}

export interface QuorumRecoveryReport {
  readonly directory: string;
  readonly id: string;
  readonly oldCluster: string;
  readonly newCluster: string;
  /** The last entry of this log: the new cluster begins with its effect, and that of all before it. */
  readonly last: EntryId;
  /** Up to here all was committed, for certain, and is kept; null: of no entry is that known. */
  readonly committed: EntryId | null;
  /** Kept as well: they were durable here, and may never have been acknowledged to anybody; null: there are none. */
  readonly uncertain: { readonly from: number; readonly through: number } | null;
  /** This disk had acknowledged as much; what of it lies behind `last` is lost. null: nothing is known to be. */
  readonly lost: EntryId | null;
  /** What of the directory was damaged, in words. */
  readonly damage: readonly string[];
  /** Who else was of the old cluster: what only they had is lost, and nobody can say how much that is. */
  readonly leftOut: readonly { readonly id: string; readonly role: string; readonly address: string | null }[];
}

const ADVICE = "take another survivor's directory, or a backup";

/**
 * Makes one survivor's directory a new cluster, of which it is the only member, with the effect of every entry in its
 * log. For when a majority of the voters is gone for good: acknowledged writes that only they had are lost by it. No
 * old member can ever talk to the new cluster, nor it to them; they come back with empty directories, and `join`.
 *
 * All of it happens or nothing, whatever ends the process meanwhile. It refuses to run where it has been run, and while
 * a node has the directory open. See docs/operations.md for what to do before, and which survivor to take.
 *
 * @throws OperatorError "NothingToRecover" if the node needs no other to decide, as after a recovery; "LossNotAccepted"
 * if this disk is known to have lost something, unless `acceptLoss` is set; "CorruptData", "DirectoryInUse", "NoSpace"
 * and others. Then the directory is as it was.
 * @example
 * import { open, recoverFromQuorumLoss } from "quorumlite";
 * const node = await open({ directory: "data" });
 * await node.ready();
 * await node.close();
 * await recoverFromQuorumLoss("data").catch((error) => {
 *   console.log(error.code); // "NothingToRecover": it has always been alone
 * });
 */
export async function recoverFromQuorumLoss(
  directory: string, options: QuorumRecoveryOptions = {},
): Promise<QuorumRecoveryReport> {
  const given = checkOptions("recoverFromQuorumLoss", options, ["acceptLoss"]);
  const acceptLoss = checkFlag("acceptLoss", given.acceptLoss);
  const offline = await OfflineDirectory.open(directory, "write");
  try {
    // One that was interrupted counts already: it is completed, and is then the one that must not run twice.
    const completed = await offline.run(completeReplacement());
    if (!completed.ok) throw operatorErrorOf(completed.fault, offline.directory, ADVICE);
    return await recover(offline, acceptLoss);
  } finally {
    await offline.close();
  }
}

async function recover(offline: OfflineDirectory, acceptLoss: boolean): Promise<QuorumRecoveryReport> {
  const { directory } = offline;
  const member = await offline.member(ADVICE);
  if (member.last.index === 0) {
    throw new OperatorError("NoData", "directory", `directory ${directory} has no entry: there is nothing to keep`);
  }
  if (decidesAlone(member)) {
    const message = `node ${member.identity.node} is the only voter of cluster ${member.owner.cluster}: ` +
      "it needs no recovery, or has had it; open it";
    throw new OperatorError("NothingToRecover", "directory", message);
  }
  const loss = judgeQuorumLoss(member);
  const damage = loss.damage.map((fault) => operatorErrorOf(fault, directory, "it is left out").message);
  if (loss.lost !== null && !acceptLoss) throw lossError(directory, loss.last, loss.lost, damage);
  const identity = drawOwnCluster(member.identity.node);
  const cluster = { identity, pageSize: PAGE_SIZE, limits: DEFAULT_STORAGE_LIMITS };
  const done = await offline.run(recoverQuorum(member, cluster));
  if (!done.ok) throw operatorErrorOf(done.fault, directory, ADVICE);
  if (!done.value) {
    const message = `there is no space in ${directory} for the database a second time: make some, then try again`;
    throw new OperatorError("NoSpace", "directory", message);
  }
  return {
    directory, id: identity.node, oldCluster: member.owner.cluster, newCluster: identity.cluster.id, ...loss, damage,
    leftOut: loss.leftOut.map(({ id, role, address }) => {
      return { id: nodeOf(id), role, address: address === "" ? null : address };
    }),
  };
}

function lossError(directory: string, last: EntryId, lost: EntryId, damage: readonly string[]): OperatorError {
  const ends = `the log ends at entry ${last.index} of term ${last.term}`;
  const known = `this disk had acknowledged ${describe(lost)}, and ${ends}; `;
  const found = damage.map((text) => `${text}; `).join("");
  const advice = "take another survivor's directory, or pass acceptLoss: true";
  return new OperatorError("LossNotAccepted", "acceptLoss", `directory ${directory}: ${known}${found}${advice}`);
}

function describe({ term, index }: EntryId): string {
  return index === Number.MAX_SAFE_INTEGER ? "what cannot be known any more" : `entry ${index} of term ${term}`;
}
