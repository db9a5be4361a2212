/**
 * The contract of core/storage/disk.ts as tests, run on the real disk and on its simulated twin: what the core was
 * simulated with is what it gets. Crashes are not in it: the twins crash in different ways, and have tests of their
 * own.
 */
import { expect, test } from "vitest";
import type { DiskAnswer, DiskOperation, DiskResult } from "../core/storage/disk.ts";
import type { Ticket } from "../core/types.ts";

/** A disk with an empty directory. */
export interface DiskTwin {
  /** Gives all orders at once; resolves to the answers in the order in which they came, when all have. */
  perform(orders: readonly { readonly ticket: Ticket; readonly operation: DiskOperation }[]): Promise<DiskAnswer[]>;
  /** The process ends in good order and begins anew on the same directory. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

const DONE: DiskResult = { type: "done" };

type Contract = (rule: string, body: (disk: TicketedDisk) => Promise<void>) => void;

export function testDiskContract(name: string, makeTwin: () => Promise<DiskTwin>): void {
  const contract: Contract = (rule, body) => {
    test(`${name}: ${rule}`, async () => {
      const twin = await makeTwin();
      try {
        await body(new TicketedDisk(twin));
      } finally {
        await twin.close();
      }
    });
  };
  testContents(contract);
  testNames(contract);
}

/** What stands in files. */
function testContents(contract: Contract): void {
  contract("a missing file is opened as null, and with create as empty", async (disk) => {
    expect(await disk.results(open("log", false), open("log", true), open("log", false))).toEqual([
      { type: "open", size: null }, { type: "open", size: 0 }, { type: "open", size: 0 },
    ]);
  });

  contract("a write is read back, and extends the file with zeros where it leaves a gap", async (disk) => {
    await disk.results(open("log", true), write("log", 0, [1, 2, 3]), write("log", 5, [6]), write("log", 1, [9]));
    expect(await disk.results(open("log", false), read("log", 0, 100))).toEqual([
      { type: "open", size: 6 }, bytes([1, 9, 3, 0, 0, 6]),
    ]);
  });

  contract("a read ends at the end of the file", async (disk) => {
    await disk.results(open("log", true), write("log", 0, [1, 2, 3]));
    expect(await disk.results(read("log", 1, 100), read("log", 3, 1), read("log", 9, 1), read("log", 0, 0))).toEqual([
      bytes([2, 3]), bytes([]), bytes([]), bytes([]),
    ]);
  });

  contract("a read that is given room reads the same", async (disk) => {
    const room = Uint8Array.of(9, 9, 9, 9);
    const reading = (offset: number): DiskOperation => ({ type: "read", file: "log", offset, length: 4, into: room });
    await disk.results(open("log", true), write("log", 0, [1, 2, 3, 4, 5, 6]));
    expect(await disk.results(reading(1))).toEqual([bytes([2, 3, 4, 5])]);
    expect(await disk.results(reading(4))).toEqual([bytes([5, 6])]);
  });

  contract("operations on one file take effect and are answered in the order given", async (disk) => {
    const operations: DiskOperation[] = [open("log", true)];
    for (let round = 0; round < 20; round++) {
      operations.push(write("log", 0, [round]), { type: "sync", file: "log" }, read("log", 0, 1));
    }
    const answers = await disk.answers(operations);
    expect(answers.map((answer) => answer.ticket)).toEqual(operations.map((_, at) => at + 1));
    const reads = answers.map(resultOf).filter((result) => result.type === "read");
    expect(reads.map((result) => result.bytes[0])).toEqual(Array.from({ length: 20 }, (_, round) => round));
  });

  contract("every operation on several files is answered exactly once", async (disk) => {
    const operations: DiskOperation[] = [];
    for (const file of ["a", "b", "c"]) operations.push(open(file, true), write(file, 0, [1]), { type: "sync", file });
    operations.push({ type: "syncDirectory" }, { type: "list" });
    const answers = await disk.answers(operations);
    expect(answers.map((answer) => answer.ticket).sort((a, b) => a - b)).toEqual(operations.map((_, at) => at + 1));
  });

  contract("preallocation extends with zeros, keeps what is there, and never shrinks", async (disk) => {
    await disk.results(open("log", true), write("log", 0, [7]));
    const steps = await disk.results(
      { type: "preallocate", file: "log", size: 3_000_000 }, open("log", false), read("log", 0, 2),
      read("log", 2_999_999, 5), { type: "preallocate", file: "log", size: 10 }, open("log", false),
    );
    expect(steps).toEqual([DONE, size(3_000_000), bytes([7, 0]), bytes([0]), DONE, size(3_000_000)]);
  });

  contract("a large piece is written and read whole, in order with small writes around it", async (disk) => {
    const piece = Uint8Array.from({ length: 1_000_003 }, (_, at) => at % 251);
    await disk.results(open("pages", true));
    const answers = await disk.answers([
      write("pages", 0, [7]), { type: "write", file: "pages", offset: 0, bytes: piece }, write("pages", 5, [9]),
      { type: "sync", file: "pages" }, read("pages", 0, 2_000_000),
    ]);
    const expected = piece.slice();
    expected[5] = 9;
    const last = answers.map(resultOf).at(-1)!;
    expect(last.type === "read" && last.bytes.length).toBe(expected.length);
    expect(last.type === "read" && last.bytes.every((byte, at) => byte === expected[at])).toBe(true);
  });

  contract("any number of files is written to, synced and read, whichever was used last", async (disk) => {
    const names = Array.from({ length: 100 }, (_, at) => `pages-${at}`);
    await disk.results(...names.map((name) => open(name, true)));
    await disk.answers(names.map((name, at) => write(name, 0, [at])));
    await disk.answers(names.map((name, at) => write(name, 1, [at])));
    await disk.answers(names.map((file) => ({ type: "sync", file })));
    const answers = await disk.answers(names.map((name) => read(name, 0, 9)));
    // Across files they are answered in any order.
    const first = answers.map((answer) => answer.ticket).sort((a, b) => a - b)[0]!;
    for (const answer of answers) {
      expect(resultOf(answer)).toEqual(bytes([answer.ticket - first, answer.ticket - first]));
    }
  });
}

/** Which files there are. */
function testNames(contract: Contract): void {
  contract("a rename replaces the file of that name, and its content comes along", async (disk) => {
    await disk.results(open("old", true), write("old", 0, [1, 1]), open("new", true), write("new", 0, [2]));
    await disk.results({ type: "rename", from: "new", to: "old" });
    expect(await disk.results({ type: "list" }, read("old", 0, 9), open("new", false))).toEqual([
      { type: "list", files: ["old"] }, bytes([2]), { type: "open", size: null },
    ]);
    await disk.results(write("old", 1, [3]));
    expect(await disk.results(read("old", 0, 9))).toEqual([bytes([2, 3])]);
  });

  contract("an unlinked file is gone, and one created again under its name is empty", async (disk) => {
    await disk.results(open("log", true), write("log", 0, [1]), { type: "unlink", file: "log" });
    expect(await disk.results(open("log", false), { type: "list" }, open("log", true))).toEqual([
      { type: "open", size: null }, { type: "list", files: [] }, { type: "open", size: 0 },
    ]);
  });

  contract("a file that gets another name takes its orders along, though all are given at once", async (disk) => {
    await disk.results(open("log-1", true), write("log-1", 0, [1, 1, 1]));
    const answers = await disk.answers([
      write("log-1", 1, [2]), { type: "sync", file: "log-1" }, { type: "rename", from: "log-1", to: "log-3" },
      write("log-3", 2, [3]), { type: "sync", file: "log-3" }, read("log-3", 0, 9),
    ]);
    expect(answers.map(resultOf).find(({ type }) => type === "read")).toEqual(bytes([1, 2, 3]));
    expect(await disk.results({ type: "list" })).toEqual([{ type: "list", files: ["log-3"] }]);
  });

  contract("what is written into a file that is preallocated stays within it", async (disk) => {
    await disk.results(open("log", true), { type: "preallocate", file: "log", size: 8192 }, write("log", 4096, [5]));
    expect(await disk.results({ type: "sync", file: "log" }, open("log", false), read("log", 4095, 3))).toEqual([
      DONE, size(8192), bytes([0, 5, 0]),
    ]);
  });

  contract("the list is sorted by code unit", async (disk) => {
    await disk.results(open("b", true), open("a.10", true), open("a-2", true), open("a.9", true));
    expect(await disk.results({ type: "list" })).toEqual([{ type: "list", files: ["a-2", "a.10", "a.9", "b"] }]);
  });

  contract("what was synced is there after a restart, without being opened first", async (disk) => {
    await disk.results(open("log", true), write("log", 0, [1, 2]));
    await disk.results({ type: "sync", file: "log" }, { type: "syncDirectory" });
    await disk.restart();
    expect(await disk.results(read("log", 0, 9), write("log", 2, [3]), open("log", false))).toEqual([
      bytes([1, 2]), DONE, size(3),
    ]);
  });

  contract("what needs a file that is missing fails with the system's name for it", async (disk) => {
    const operations: DiskOperation[] = [
      read("gone", 0, 1), write("gone2", 0, [1]), { type: "unlink", file: "gone" },
      { type: "rename", from: "gone", to: "x" },
    ];
    for (const answer of await disk.answers(operations)) {
      expect(answer).toMatchObject({ type: "DiskFailed", failure: { code: "ENOENT" } });
    }
    expect(await disk.results({ type: "list" })).toEqual([{ type: "list", files: [] }]);
  });
}

/** Numbers the orders, and turns answers into results where success is expected. */
class TicketedDisk {
  private readonly twin: DiskTwin;
  private ticket = 0;

  constructor(twin: DiskTwin) {
    this.twin = twin;
  }

  answers(operations: readonly DiskOperation[]): Promise<DiskAnswer[]> {
    return this.twin.perform(operations.map((operation) => ({ ticket: ++this.ticket as Ticket, operation })));
  }

  /** In the order given; one after the other. */
  async results(...operations: DiskOperation[]): Promise<DiskResult[]> {
    const results: DiskResult[] = [];
    for (const operation of operations) results.push(...(await this.answers([operation])).map(resultOf));
    return results;
  }

  restart(): Promise<void> {
    return this.twin.restart();
  }
}

function resultOf(answer: DiskAnswer): DiskResult {
  if (answer.type === "DiskFailed") throw new Error(`the disk failed: ${answer.failure.message}`);
  return answer.result;
}

function open(file: string, create: boolean): DiskOperation {
  return { type: "open", file, create };
}

function write(file: string, offset: number, content: readonly number[]): DiskOperation {
  return { type: "write", file, offset, bytes: Uint8Array.from(content) };
}

function read(file: string, offset: number, length: number): DiskOperation {
  return { type: "read", file, offset, length };
}

function bytes(content: readonly number[]): DiskResult {
  return { type: "read", bytes: Uint8Array.from(content) };
}

function size(bytesInFile: number): DiskResult {
  return { type: "open", size: bytesInFile };
}
