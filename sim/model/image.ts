/** Opens an image of the page model, as unmodified SQLite opens one of the real engine's. */
import { Random, SEED_SIZE } from "../../core/random.ts";
import { InvariantError } from "../../core/invariant.ts";
import type { ImageReader, OpenImage } from "../oracles/boundary.ts";
import { MODEL_PAGE_SIZE, pagesOver } from "./page-space.ts";
import { execute, recognise } from "./statements.ts";
import { checkTables } from "./tables.ts";

export const modelImageReader: ImageReader = { open: openModelImage };

function openModelImage(image: Uint8Array): OpenImage {
  const list: Uint8Array[] = [];
  for (let at = 0; at < image.length; at += MODEL_PAGE_SIZE) list.push(image.subarray(at, at + MODEL_PAGE_SIZE));
  const pages = pagesOver(list, () => {
    throw new InvariantError("images are only read");
  });
  const random = Random.fromBytes(new Uint8Array(SEED_SIZE));
  return {
    query(sql) {
      const recognised = recognise(sql);
      const result = recognised === null ? null : execute(recognised, [], pages, random);
      if (result === null || !result.ok) throw new InvariantError(`the page model does not answer: ${sql}`);
      return result.rows;
    },
    integrityCheck: () => checkTables(pages),
    close() {},
  };
}
