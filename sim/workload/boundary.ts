/**
 * The boundary of workload/: what simulated applications are to the run. An *application* is one process with one
 * core/client machine; it has several *actors* (threads) that call concurrently. Like every machine here it takes news
 * and gives orders, and never waits.
 *
 * The run's part: for each application make a Client, pass `Call` to it as `Called` and its `Return` back as
 * `Returned`. An application that dies is dropped together with its client, after it was told `Died`; a new one takes
 * its place. What was tried, and what came of it, the workload writes into its history, which the oracles judge.
 *
 *     const workload = new Workload(new Chance(seed));       // workload.ts: draws its own options
 *     const application = workload.open("client-1");
 *     for (const effect of application.step(now, { type: "Started" })) ...
 *     const judge = new Oracles({ nodes, history: workload.history, reader });   // sim/oracles/oracles.ts
 */
import type { CallNumber, CallResult, Operation } from "../../core/client/boundary.ts";
import type { Instant } from "../../core/types.ts";

export type ApplicationInput =
  /** The first input. */
  | { readonly type: "Started" }
  | { readonly type: "Returned"; readonly call: CallNumber; readonly result: CallResult }
  /** The timer set last has fired. An early or stale one is harmless. */
  | { readonly type: "TimerFired" }
  /** Begin nothing new. What is under way may end. */
  | { readonly type: "Stopping" }
  /** The process is gone, its calls are never answered. The last input. */
  | { readonly type: "Died" };

export type ApplicationEffect =
  /** Answered by exactly one Returned. Numbers are unique within one application. */
  | { readonly type: "Call"; readonly call: CallNumber; readonly operation: Operation }
  /** Replaces any timer set before. */
  | { readonly type: "SetTimer"; readonly at: Instant }
  /** After Stopping: no call is open, and none will be made. */
  | { readonly type: "Stopped" };

export interface Application {
  readonly name: string;
  step(now: Instant, input: ApplicationInput): readonly ApplicationEffect[];
}

/** What the workload has come to so far: for reports, and for the question whether the cluster serves new writes. */
export interface WorkloadCounts {
  /** Transactions that wrote and were acknowledged. */
  committed: number;
  /** Reads outside transactions that were answered: linearizable ones, and those of consistency "session". */
  reads: number;
  sessionReads: number;
  /** How many of both have been asked for. */
  readsAsked: number;
  /** Transactions that surely left nothing: rolled back, refused, failed. */
  failed: number;
  /** Answered OutcomeUnknown, or never answered. */
  unknown: number;
  /** How often each FailureCode was answered. */
  readonly failures: Record<string, number>;
}
