import type { PlannedFault } from '../plan-faults.ts';
import type { Scene } from '../scene.ts';

/** What a fault did. Times are wall clock; one machine, so they are Redis' too. */
export interface Injury {
  startAt: number;
  /** When it was over. Of what takes a worker away for good: when it began. */
  endAt: number;
  /** Ids of workers and schedulers, or `redis`. */
  targets: readonly string[];
  /** What shows that it hit; nothing when it had no effect. */
  proof: readonly string[];
  /** From the end of the fault until the process that it hit took part again, where that was looked at. */
  rejoinMs?: number;
  /** How long the only worker that could go on was not there: that is the machine's time, and comes on top of the bound. */
  awayMs?: number;
  /** Of a Redis that was killed and may have answered before it had written: when its process was gone. */
  unwrittenUntil?: number;
  /** What was seen of a dependency that was dead. */
  outage?: DependencyOutage;
  /** Runs that were cancelled. */
  cancelled?: readonly string[];
}

interface DependencyOutage {
  breaker: string;
  /** Of the runs that need it, all made by the fault. */
  runIds: readonly string[];
  steps: number;
  /** When the breaker opened, on Redis' clock. */
  openedAt: number;
  /** Steps that waited behind it when the dependency came back. */
  parked: number;
}

export type Injector = (scene: Scene, fault: PlannedFault) => Promise<Injury>;
