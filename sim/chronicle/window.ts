/** The last part of a long chronicle: what there is much of, packets and operations, is left out before it. */
import type { CallRow, Cause, Chronicle, OperationRow, PacketRow } from "./format.ts";

const NOBODY: Cause = 0;

export function lastPackets(chronicle: Chronicle, count: number): Chronicle {
  const { packets, operations, calls, failureCause } = chronicle;
  if (packets.length <= count) return chronicle;
  const firstPacket = packets.length - count;
  const detailFrom = packets[firstPacket]![0];
  const found = operations.findIndex(([orderedAt]) => orderedAt >= detailFrom);
  const firstOperation = found < 0 ? operations.length : found;
  /** The same row, where it stands now. */
  const moved = (cause: Cause): Cause => {
    const first = [0, firstPacket, firstOperation, 0][cause % 4]!;
    return cause < first * 4 ? NOBODY : cause - first * 4;
  };
  return {
    ...chronicle,
    detailFrom,
    failureCause: moved(failureCause),
    packets: packets.slice(firstPacket).map((row): PacketRow => [
      row[0], row[1], row[2], row[3], row[4], row[5], moved(row[6]), row[7],
    ]),
    operations: operations.slice(firstOperation).map((row): OperationRow => [
      row[0], row[1], row[2], row[3], moved(row[4]), row[5],
    ]),
    calls: calls.map((row): CallRow => [
      row[0], row[1], row[2], row[3], row[4], row[5], moved(row[6]), row[7], row[8],
    ]),
  };
}
