/**
 * What storage itself costs: core/storage over real files, without consensus and, but for one figure, without SQLite.
 * The directory decides which disk is measured. `large`: the gigabyte, too.
 */
import { measureAppends, printAppends, type AppendFigures } from "./storage-appends.ts";
import { measureCheckpoints, printCheckpoints, type CheckpointFigures } from "./storage-checkpoints.ts";
import { measureRecovery, printRecovery, type RecoveryFigures } from "./storage-recovery.ts";
import { measureTransfer, printTransfer, type TransferFigures } from "./storage-transfer.ts";

const MIB = 1024 * 1024;
const TURNS_A_ROUND = 4;
const CHECKPOINTS_A_ROUND = 2;
const SQLITE_SIZE = 100 * MIB;

export interface StorageReport {
  readonly appends: readonly AppendFigures[];
  readonly checkpoints: readonly CheckpointFigures[];
  readonly recovery: RecoveryFigures;
  readonly transfer: readonly TransferFigures[];
}

export async function measureStorage(directory: string, rounds: number, large: boolean): Promise<StorageReport> {
  const sizes = [10 * MIB, 100 * MIB, ...(large ? [1024 * MIB] : [])];
  const size = sizes.at(-1)!;
  return {
    appends: await measureAppends(directory, rounds * TURNS_A_ROUND),
    checkpoints: await measureCheckpoints(directory, sizes, SQLITE_SIZE, rounds * CHECKPOINTS_A_ROUND),
    recovery: await measureRecovery(directory, size, (large ? 100 : 10) * MIB),
    transfer: await measureTransfer(directory, size),
  };
}

export function printStorage({ appends, checkpoints, recovery, transfer }: StorageReport): void {
  printAppends(appends);
  printCheckpoints(checkpoints);
  printRecovery(recovery);
  printTransfer(transfer);
}
