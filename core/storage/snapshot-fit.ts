/**
 * Whether a log and a stored snapshot belong together, as a start judges it and as tools do that run while the node
 * does not; and which configuration is the latest that they know of.
 */
import { type Configuration, foundingConfiguration } from "../raft/configuration.ts";
import { type EntryId, type Identity, NO_ENTRY, founderIds } from "../types.ts";
import { type Refused, corrupt } from "./block.ts";
import type { JudgedLog } from "./log-recovery.ts";
import { MANIFEST_FILE } from "./manifest.ts";

/** What the log has lost the snapshot has to have. null: so it is; the log may yet be behind it, or contradict it. */
export function judgeFit(base: EntryId, snapshot: EntryId | null): Refused | null {
  const { term, index } = snapshot ?? NO_ENTRY;
  if (base.index < index || (base.index === index && base.term === term)) return null;
  const found = snapshot === null ? "missing" : `is of entry ${show(snapshot)}`;
  return corrupt(MANIFEST_FILE, 0, `${found}, although the log begins behind entry ${show(base)}`);
}

/** The latest that is written down; it takes effect when it is committed. */
export function latestConfiguration(
  { cluster }: Identity, log: Pick<JudgedLog, "configurations"> | null,
  snapshot: { readonly configuration: Configuration } | null,
): Configuration {
  const inLog = log?.configurations.at(-1)?.configuration;
  return inLog ?? snapshot?.configuration ?? foundingConfiguration(founderIds(cluster?.founders ?? []));
}

function show({ term, index }: EntryId): string {
  return `${term}/${index}`;
}
