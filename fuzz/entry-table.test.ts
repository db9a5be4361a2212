/** Where the records of entries stand, against a twin that keeps a plain array of them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { EntryTable } from "../core/storage/entry-table.ts";
import { type EntryId, type LogIndex, NO_ENTRY, type Term } from "../core/types.ts";
import { examples } from "./chance.ts";

interface PlainRecord {
  readonly entry: EntryId;
  readonly position: number;
  readonly size: number;
}

type Change =
  | { readonly type: "append"; readonly count: number; readonly size: number; readonly newTerm: boolean }
  | { readonly type: "truncate" | "drop"; readonly at: number };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 3, arbitrary: fc.record({
    type: fc.constant("append" as const), count: fc.nat(60), size: fc.nat(900), newTerm: fc.boolean(),
  }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("truncate" as const, "drop" as const), at: fc.nat() }) },
);

test("every entry's record is where it was put, whatever is cut at either end", () => {
  let largest = 0;
  const property = fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
    const table = new EntryTable(NO_ENTRY);
    let base = NO_ENTRY;
    let records: PlainRecord[] = [];
    let [end, term] = [0, 1];
    for (const one of changes) {
      if (one.type === "append") {
        if (one.newTerm) term++;
        for (let count = 0; count < one.count; count++) {
          const index = (records.at(-1)?.entry.index ?? base.index) + 1;
          const record = { entry: { term: term as Term, index: index as LogIndex }, position: end, size: one.size };
          table.append(record.entry, record.position, record.size);
          records.push(record);
          end += 64 + one.size;
        }
      } else if (one.type === "truncate") {
        const keep = one.at % (records.length + 1);
        table.truncate((base.index + keep) as LogIndex);
        records = records.slice(0, keep);
        // A truncation is a record, too.
        end += 64;
      } else {
        const count = one.at % (records.length + 1);
        table.dropBefore(records[count]?.position ?? end);
        base = records[count - 1]?.entry ?? base;
        records = records.slice(count);
      }
      largest = Math.max(largest, records.length);
      expect(table.base).toEqual(base);
      expect(table.last).toEqual(records.at(-1)?.entry ?? base);
      for (const { entry, position, size } of records) {
        expect(table.idAt(entry.index)).toEqual(entry);
        expect([table.offsetOf(entry.index), table.payloadSizeOf(entry.index)]).toEqual([position, size]);
      }
    }
  });
  fc.assert(property, examples(40));
  expect(largest, "tables that had to grow").toBeGreaterThan(128);
});
