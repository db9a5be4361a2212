/** What the operating system said no to, told apart from bugs of ours, which are errors too. */

export interface SystemError extends Error {
  /** The system's name for it: "EIO", "EADDRINUSE". */
  readonly code: string;
  readonly syscall: string;
}

export function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string";
}
