/**
 * Feature versions: what all members understand, agreed on through the log. Each member says in its replies how far it
 * can go; when the leader has heard that all can go further it appends a configuration with the higher version. So a
 * feature is used only where everybody understands it, and it stays: a member that does not is not let in.
 *
 * Formats (of files, of messages) have versions of their own; this one is about what may be said in them.
 */

/** What this code understands. */
export const FEATURE_VERSION = 1;
