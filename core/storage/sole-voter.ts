/**
 * Whether what is on this disk may be nowhere else: its node may be the only voter. Then damage is no reason to discard
 * anything, as nobody could give it back (recovery.ts). It stands beside term and vote, since the configuration itself
 * may be in what is damaged, and the founders say nothing of today.
 *
 * The hard idea is which way it errs. It is durable before any configuration is that makes this node the only voter, so
 * before anything is committed by this disk alone. It goes only when a configuration is known to be committed in which
 * others are counted, too: by then a majority of theirs has everything. In between it may say so of a node that has
 * others, which then refuses to start where it might have fetched; the other way round something would be lost.
 */
import { invariant } from "../invariant.ts";
import { decodeConfiguration } from "../raft/configuration-codec.ts";
import { type Configuration, foundingConfiguration, isOnlyVoter } from "../raft/configuration.ts";
import { type Entry, type Identity, founderIds, memberIdOf } from "../types.ts";
import { type Owner, ownerOf } from "./block.ts";
import type { DiskProcedure } from "./file-window.ts";
import { type TermSlot, writeSlot } from "./term-file.ts";

/** Whether this disk is the only voter of a configuration. */
export function votesAlone({ node, incarnation }: Owner, configuration: Configuration): boolean {
  return isOnlyVoter(configuration, memberIdOf(node, incarnation));
}

/** Whether its cluster was founded by this disk alone. */
export function isFoundedAlone(identity: Identity): boolean {
  invariant(identity.cluster !== null, "founders are of a cluster");
  return votesAlone(ownerOf(identity), foundingConfiguration(founderIds(identity.cluster.founders)));
}

/** Whether an entry among these makes it the only voter. */
export function becomesAlone(owner: Owner, entries: readonly Entry[]): boolean {
  return entries.some(({ kind, payload }) => {
    if (kind !== "configuration") return false;
    const decoded = decodeConfiguration(payload);
    invariant(decoded.ok, "what is appended as a configuration is one");
    return votesAlone(owner, decoded.value);
  });
}

/** Before a snapshot with this configuration comes into force. */
export function* noteConfiguration(
  files: { readonly owner: Owner; term: TermSlot }, configuration: Configuration,
): DiskProcedure<void> {
  if (files.term.mayVoteAlone || !votesAlone(files.owner, configuration)) return;
  yield* writeSlot(files, { mayVoteAlone: true });
}

/** A configuration is committed in which others are counted, too. */
export function* noteOtherVoters(files: { readonly owner: Owner; term: TermSlot }): DiskProcedure<null> {
  return files.term.mayVoteAlone ? yield* writeSlot(files, { mayVoteAlone: false }) : null;
}
