/** The one directory of a simulated disk: names as programs see them, and as a loss of power would leave them. */
import type { Random } from "../core/random.ts";
import { SimulatedFile } from "./file.ts";
import type { Tally } from "./tally.ts";

/** A change that no syncDirectory has made durable. */
type DirectoryChange =
  | { readonly type: "create"; readonly file: string; readonly target: SimulatedFile }
  | { readonly type: "rename"; readonly from: string; readonly to: string; readonly target: SimulatedFile }
  | { readonly type: "unlink"; readonly file: string };

export class Directory {
  private names = new Map<string, SimulatedFile>();
  private durableNames = new Map<string, SimulatedFile>();
  private changes: DirectoryChange[] = [];

  get hasUnsynced(): boolean {
    return this.changes.length > 0;
  }

  files(): Iterable<SimulatedFile> {
    return this.names.values();
  }

  /** null: there is no such file. */
  find(name: string): SimulatedFile | null {
    return this.names.get(name) ?? null;
  }

  /** As a loss of power would leave it; null: there is no such file. */
  durable(name: string): SimulatedFile | null {
    return this.durableNames.get(name) ?? null;
  }

  list(): string[] {
    return [...this.names.keys()].sort();
  }

  listDurable(): string[] {
    return [...this.durableNames.keys()].sort();
  }

  add(name: string, target: SimulatedFile): void {
    this.names.set(name, target);
    this.changes.push({ type: "create", file: name, target });
  }

  /** False: there is no such file. */
  remove(name: string): boolean {
    if (!this.names.delete(name)) return false;
    this.changes.push({ type: "unlink", file: name });
    return true;
  }

  /** False: there is no such file. */
  rename(from: string, to: string): boolean {
    const target = this.names.get(from);
    if (target === undefined) return false;
    this.names.delete(from);
    this.names.set(to, target);
    this.changes.push({ type: "rename", from, to, target });
    return true;
  }

  sync(): void {
    for (const change of this.changes) this.makeDurable(change);
    this.changes = [];
  }

  /** Each change that was not synced is undone, or not: how many are. A file without a durable name is gone. */
  losePower(dropPercent: number, random: Random, tally: Tally): number {
    let undone = 0;
    for (const change of this.changes) {
      if (random.chance(dropPercent)) {
        tally.inject("undoneDirectoryChange");
        tally.effect("undoneDirectoryChange");
        undone++;
      } else {
        this.makeDurable(change);
      }
    }
    this.changes = [];
    this.names = new Map(this.durableNames);
    return undone;
  }

  /** With files of its own. */
  fork(): Directory {
    const forks = new Map<SimulatedFile, SimulatedFile>();
    const forkOf = (file: SimulatedFile): SimulatedFile => {
      const fork = forks.get(file) ?? file.fork();
      forks.set(file, fork);
      return fork;
    };
    const fork = new Directory();
    for (const [name, file] of this.names) fork.names.set(name, forkOf(file));
    for (const [name, file] of this.durableNames) fork.durableNames.set(name, forkOf(file));
    fork.changes = this.changes.map((change) => {
      return change.type === "unlink" ? change : { ...change, target: forkOf(change.target) };
    });
    return fork;
  }

  private makeDurable(change: DirectoryChange): void {
    switch (change.type) {
      case "create":
        this.durableNames.set(change.file, change.target);
        return;
      case "unlink":
        this.durableNames.delete(change.file);
        return;
      case "rename":
        // The new name is there whether or not the file's creation was kept: a rename writes the name itself.
        if (this.durableNames.get(change.from) === change.target) this.durableNames.delete(change.from);
        this.durableNames.set(change.to, change.target);
    }
  }
}
