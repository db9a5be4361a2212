/** The workload of one run: options drawn from its seed, one history, and any number of applications. */
import type { Chance } from "../chance.ts";
import type { Shared } from "./actor.ts";
import { ActorApplication } from "./application.ts";
import type { Application, WorkloadCounts } from "./boundary.ts";
import { History } from "./history.ts";
import { drawWorkloadOptions, type WorkloadOptions } from "./options.ts";

export class Workload {
  readonly options: WorkloadOptions;
  readonly history = new History();
  readonly counts: WorkloadCounts = {
    committed: 0, reads: 0, sessionReads: 0, readsAsked: 0, failed: 0, unknown: 0, failures: {},
  };
  private readonly shared: Shared;

  constructor(chance: Chance, options: WorkloadOptions = drawWorkloadOptions(chance.stream("options").next())) {
    this.options = options;
    this.shared = {
      chance, options, history: this.history, counts: this.counts, knownItems: [], lastUnique: 0, mayLeaveOut: true,
    };
  }

  /** From now on applications are there to see whether the cluster serves. */
  measure(): void {
    this.shared.mayLeaveOut = false;
  }

  /** A new application; names are unique within a run. */
  open(name: string): Application {
    return new ActorApplication(name, this.shared);
  }
}
