/**
 * A node's log while no process runs the node, read as its own recovery would read it. It works on a copy of the
 * directory, since recovery may write (it cuts a torn tail): the directory stays as the last process left it.
 *
 * What such a log holds is durable at that node; whether it is committed, only the logs of a majority can tell.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type ImageFault, PageImage } from "../core/pages/page-image.ts";
import { PAGE_SIZE } from "../core/sqlite/factory.ts";
import { DEFAULT_STORAGE_LIMITS, type Recovered, type StorageEffect } from "../core/storage/boundary.ts";
import type { DiskAnswer } from "../core/storage/disk.ts";
import { Storage } from "../core/storage/storage.ts";
import type { Entry, LogIndex, NodeId } from "../core/types.ts";
import { Disk } from "../io/disk.ts";
import { lockDirectory } from "../io/lock.ts";
import { OpenError, openErrorOf } from "./errors.ts";

const READ_BYTES = 4 * 1024 * 1024;

export class OfflineLog {
  private readonly directory: string;
  private readonly copy: string;
  private readonly storage: Storage;
  private readonly disk: Disk;
  private readonly answers: DiskAnswer[] = [];
  private isTaking = false;
  private heard: (news: StorageEffect) => void = () => {};
  /** What comes before the news that is waited for. */
  private seen: (news: StorageEffect) => void = () => {};
  private found: Recovered | null = null;

  private constructor(directory: string, node: NodeId) {
    this.directory = directory;
    this.copy = fs.mkdtempSync(path.join(os.tmpdir(), `quorumlite-${node}-`));
    this.storage = new Storage({ node, limits: DEFAULT_STORAGE_LIMITS });
    this.disk = new Disk(this.copy, (answer) => this.answered(answer));
  }

  /** @throws OpenError if a process has the directory open, or if recovery refuses it */
  static async open(directory: string, node: NodeId): Promise<OfflineLog> {
    const locked = await lockDirectory(directory);
    if (!locked.ok) {
      const message = `${directory} is in use by process ${locked.holder ?? "(unknown)"}: stop it first`;
      throw new OpenError("DirectoryInUse", "directory", message);
    }
    const log = new OfflineLog(directory, node);
    try {
      fs.cpSync(directory, log.copy, { recursive: true });
      await log.recover();
      return log;
    } catch (error) {
      await log.close();
      throw error;
    } finally {
      await locked.lock.release();
    }
  }

  get recovered(): Recovered {
    if (this.found === null) throw new Error("the log has not been recovered");
    return this.found;
  }

  /** The entries behind the snapshot, where there is one, up to `last`, in order. */
  async *entries(last: LogIndex): AsyncGenerator<Entry> {
    let from = (this.recovered.snapshot?.entry.index ?? 0) + 1;
    while (from <= last) {
      const news = await this.ask(
        () => this.storage.requestRead({ type: "apply" }, from as LogIndex, (last + 1) as LogIndex, READ_BYTES),
        "EntriesRead",
      );
      yield* news.entries;
      from += news.entries.length;
    }
  }

  /** The node's database as of its snapshot; empty where there is none. */
  async image(): Promise<PageImage> {
    const { snapshot } = this.recovered;
    let image = PageImage.ofEmptyDatabase(PAGE_SIZE);
    if (snapshot === null) return image;
    this.seen = (news) => {
      if (news.type === "RestoreStarted") image = new PageImage(news.pageSize, news.pageCount);
      if (news.type === "PagesRestored") for (const page of news.pages) demand(image.place(page));
    };
    const { checksum } = await this.ask(() => this.storage.restore(snapshot), "RestoreFinished");
    this.seen = () => {};
    demand(image.fault(checksum));
    return image;
  }

  async close(): Promise<void> {
    await this.disk.close();
    fs.rmSync(this.copy, { recursive: true, force: true });
  }

  private async recover(): Promise<void> {
    this.found = (await this.ask(() => this.storage.start(), "Recovered")).recovered;
  }

  /** Gives an order, and waits for the news that answers it. */
  private ask<Type extends StorageEffect["type"]>(
    order: () => readonly StorageEffect[], type: Type,
  ): Promise<StorageEffect & { readonly type: Type }> {
    return new Promise((resolve, reject) => {
      this.heard = (news) => {
        this.seen(news);
        if (news.type === type) resolve(news as StorageEffect & { readonly type: Type });
        if (news.type !== "Failed" && news.type !== "SnapshotDamaged") return;
        reject(openErrorOf({ type: "storage", fault: news.fault }, this.directory));
      };
      this.perform(order());
    });
  }

  /** Answers that come while others are being taken wait: Storage is stepped by one at a time. */
  private answered(answer: DiskAnswer): void {
    this.answers.push(answer);
    if (this.isTaking) return;
    this.isTaking = true;
    for (let next = this.answers.shift(); next !== undefined; next = this.answers.shift()) {
      this.perform(this.storage.answered(next));
    }
    this.isTaking = false;
  }

  private perform(effects: readonly StorageEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "Disk") this.disk.perform({ ticket: effect.ticket, operation: effect.operation });
      else this.heard(effect);
    }
  }
}

/** The disk has judged every page before it handed it out. */
function demand(fault: ImageFault | null): void {
  if (fault !== null) throw new Error(`a snapshot whose pages are sound is not: ${fault.rule}`);
}
