/** Who holds which snapshot: its files stay until the last one has let go. */
import { expect, test } from "vitest";
import { PageSet, StoredSnapshot } from "../core/storage/page-set.ts";
import { pointOf } from "./page-directory.ts";

const STATE = { ...pointOf(9), pageSize: 4096, pageCount: 0, checksum: 0 };

test("who releases a snapshot lets go of what it had pinned, not of what another holds (model seed 410034)", () => {
  const [first, again] = [new StoredSnapshot(STATE, []), new StoredSnapshot(STATE, [])];
  expect(again.id).toEqual(first.id);
  const pages = new PageSet(first, [], 1);
  // A merge reads it, and the same stream is put in its place meanwhile.
  pages.hold(first);
  pages.put(again);
  pages.pin(again.id);
  pages.release(again.id);
  pages.letGo(first);
  expect(() => pages.letGo(first)).toThrow("only what is held is let go");
});

test("what was pinned when it was gone already is released in vain", () => {
  const pages = new PageSet(null, [], 1);
  const { id } = new StoredSnapshot(STATE, []);
  pages.pin(id);
  pages.put(new StoredSnapshot(STATE, []));
  pages.hold(pages.stored!);
  pages.release(id);
  pages.letGo(pages.stored!);
});
