import type { WorkMeter } from '@flotilla/agents';
import type { Flags, JsonLimits } from '@flotilla/contracts';
import type { ClassifyRule, Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import type { AttemptObserver, ObservedAttempt, ObservedEnd } from './attempt/attempt-observer.ts';
import type { WorkerHandlers } from './chain.ts';
import type { BreakerGate } from './guarded-call.ts';
import type { ChannelGate } from './inbound-messages.ts';
import type { RunIsolated } from './isolation/run-isolated.ts';

export interface ExecutorOptions {
  state: State<Plan>;
  workerId: string;
  abilities: WorkerHandlers;
  /** Attempts at once. */
  slots: number;
  logger: Logger;
  /** Users' rules for errors. */
  classifyRules?: readonly ClassifyRule[];
  /** What is switched on, for which runs. Default: everything for all. */
  flags?: Flags;
  /** Told of each attempt that failed as `resource_exhausted`, with its code. */
  onExhausted?: (code: string) => void;
  outputLimits?: JsonLimits;
  /** Told how each attempt ends, as far as that speaks of the agent. */
  meter?: WorkMeter;
  /** For steps that may be what ends workers. Default: they are made here, beside the others. */
  runIsolated?: RunIsolated;
  /** Of the whole fleet. Without them a step's `breaker` is ignored. */
  breakers?: BreakerGate;
  /** Of the whole fleet. Without them handlers can send messages and receive none. */
  channels?: ChannelGate;
  /** Watches attempts, for traces. Those in a process of their own are watched here, too. */
  observer?: AttemptObserver | undefined;
  /** Told of each attempt that was made here, when it has ended. Must not throw. */
  onAttemptEnd?: ((attempt: ObservedAttempt, end: ObservedEnd) => void) | undefined;
  random?: () => number;
}
