/** What happens in a simulated world, as people are told. */

/** "1 write", "3 writes". */
export function times(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

export function inSeconds(us: number): string {
  return `${(us / 1e6).toFixed(3)}s`;
}

export function crashInWords(victims: readonly { readonly id: string }[], losePower: boolean): string {
  const names = victims.map(({ id }) => id).join(", ");
  if (victims.length > 1) return `${names} ${losePower ? "lose power" : "are killed"}`;
  return `${names} ${losePower ? "loses power" : "is killed"}`;
}
