/** How the commands end, after sysexits.h. Scripts rely on them. */
export const EXIT = {
  ok: 0,
  /** The command line or an option is wrong. */
  usage: 64,
  /** The data of the directory cannot be used: damaged, of another node, of another version. */
  data: 65,
  /** An address or a directory is in use, or cannot be used. */
  unavailable: 69,
  /** A bug of ours. */
  bug: 70,
  /** The disk failed. */
  disk: 74,
} as const;
