/**
 * What is wrong with the durable bytes of one file, and was not wrong when they were synced: bits that flipped, sectors
 * that cannot be read, writes that went elsewhere. Each place stays so until it is overwritten or its file is gone.
 *
 * It keeps books; the bytes themselves are changed by file.ts. Places are whole sectors where they cannot be read.
 */
import { SECTOR_SIZE } from "./power-loss.ts";

export type DamageKind = "bitRot" | "latentError" | "misdirectedWrite";

interface Place {
  readonly kind: DamageKind;
  from: number;
  end: number;
  /** What stands there stands nowhere else on this disk, and somebody needs it. */
  readonly isVital: boolean;
  /** Somebody has read it. */
  isMet: boolean;
  /** Unreadable, and overwritten in the cache: readable until the power fails. */
  isCovered: boolean;
}

export class Damage {
  private places: Place[] = [];

  /** Nothing is wrong. */
  get isNone(): boolean {
    return this.places.length === 0;
  }

  /** Something is wrong that its node cannot mend by itself. */
  get isVital(): boolean {
    return this.places.some((place) => place.isVital);
  }

  add(kind: DamageKind, from: number, end: number, isVital: boolean): void {
    this.places.push({ kind, from, end, isVital, isMet: false, isCovered: false });
  }

  /** Whether any of it lies in [from, end). */
  touches(from: number, end: number): boolean {
    return this.places.some((place) => place.from < end && from < place.end);
  }

  /** Somebody reads [from, end): the kinds of what is met for the first time. */
  meet(from: number, end: number): readonly DamageKind[] {
    const met = this.places.filter((place) => !place.isMet && place.from < end && from < place.end);
    for (const place of met) place.isMet = true;
    return met.map(({ kind }) => kind);
  }

  /** The first place in [from, end) that cannot be read; null: all can. */
  unreadable(from: number, end: number): number | null {
    const found = this.places.find((place) => {
      return place.kind === "latentError" && !place.isCovered && place.from < end && from < place.end;
    });
    return found === undefined ? null : Math.max(from, found.from);
  }

  /** Written into the cache: what cannot be read can be from now on, if all of it is new. */
  cover(from: number, end: number): void {
    for (const place of this.places) {
      if (from <= place.from && place.end <= end) place.isCovered = true;
    }
  }

  /** Written on the platter, where whole sectors heal, and single bytes too unless they cannot be read. */
  overwrite(from: number, end: number): void {
    const left: Place[] = [];
    for (const place of this.places) {
      const isLatent = place.kind === "latentError";
      const [first, last] = isLatent ? [sectorUp(from), sectorDown(end)] : [from, end];
      if (last <= place.from || place.end <= first) {
        left.push(place);
        continue;
      }
      if (place.from < first) left.push({ ...place, end: first });
      if (last < place.end) left.push({ ...place, from: last });
    }
    this.places = left;
  }

  /** The cache is gone. */
  uncover(): void {
    for (const place of this.places) place.isCovered = false;
  }

  fork(): Damage {
    const fork = new Damage();
    fork.places = this.places.map((place) => ({ ...place }));
    return fork;
  }
}

function sectorUp(offset: number): number {
  return Math.ceil(offset / SECTOR_SIZE) * SECTOR_SIZE;
}

function sectorDown(offset: number): number {
  return Math.floor(offset / SECTOR_SIZE) * SECTOR_SIZE;
}
