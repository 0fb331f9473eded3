import { createRateLimitedLog, type RateLimitedLog } from '@flotilla/telemetry';
import type { ExecutorOptions } from './executor-options.ts';
import { LiveAttempts } from './live-attempts.ts';
import { RetrySpreads } from './retry-spreads.ts';
import { StepDurations } from './step-durations.ts';
import { TaskOutcomes } from './task-outcomes.ts';

/** What attempts share on one worker: all that an attempt knows of its surroundings. */
export class AttemptRuntime {
  readonly options: ExecutorOptions;
  readonly live: LiveAttempts;
  /** Ids of attempts, from before they are claimed until state has answered how they ended. */
  readonly owned = new Set<string>();
  readonly durations = new StepDurations();
  readonly spreads = new RetrySpreads();
  readonly outcomes = new TaskOutcomes();
  /** Failed attempts are logged through it: a dependency that is away makes thousands a second. */
  readonly failures: RateLimitedLog;

  constructor(options: ExecutorOptions) {
    this.options = options;
    this.live = new LiveAttempts(options.state);
    this.failures = createRateLimitedLog({ logger: options.logger, linesPerSecond: 5, linesPerSecondOverall: 50 });
  }
}
