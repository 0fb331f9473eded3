import { findJsonProblem } from '@flotilla/contracts';
import type { Executor } from '@flotilla/executor';
import type { ReportedProgress, State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';

const REPORT_EVERY_MS = 1000;
/** It is for people to look at: what is larger belongs into a checkpoint or the output. */
const LIMITS = { maxBytes: 4096, maxDepth: 16, maxKeys: 500 };

export interface ProgressReporterOptions {
  executor: { live: Pick<Executor['live'], 'takeProgress' | 'ids'> };
  state: Pick<State<never>, 'reportProgress'>;
  workerId: string;
  logger: Logger;
}

/** Shows what attempts give their heartbeats, once a second at most; costs Redis nothing while none gives anything. */
export class ProgressReporter {
  readonly #options: ProgressReporterOptions;
  /** Attempts of which something is shown. */
  readonly #shown = new Set<string>();
  /** Attempts that were told that what they give cannot be shown. */
  readonly #refused = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #reporting: Promise<void> | undefined;

  constructor(options: ProgressReporterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#reporting ??= this.report().finally(() => {
        this.#reporting = undefined;
      });
    }, REPORT_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Never rejects: a report that is lost is followed by the next one. */
  async report(): Promise<void> {
    const { executor, state, workerId, logger } = this.#options;
    const reported = executor.live.takeProgress().filter((each) => this.#canBeShown(each));
    const ended = this.#forgetEnded(executor.live.ids());
    if (reported.length === 0 && ended.length === 0) return;
    try {
      await state.reportProgress(workerId, { reported, ended });
      for (const { attemptId } of reported) this.#shown.add(attemptId);
    } catch (error) {
      logger.debug({ error }, 'could not report progress');
    }
  }

  #forgetEnded(underWay: ReadonlySet<string>): string[] {
    for (const attemptId of this.#refused) if (!underWay.has(attemptId)) this.#refused.delete(attemptId);
    const ended = [...this.#shown].filter((attemptId) => !underWay.has(attemptId));
    for (const attemptId of ended) this.#shown.delete(attemptId);
    return ended;
  }

  #canBeShown({ attemptId, value }: ReportedProgress): boolean {
    const problem = findJsonProblem(value, LIMITS);
    if (problem === undefined) return true;
    if (!this.#refused.has(attemptId)) {
      this.#refused.add(attemptId);
      this.#options.logger.warn(
        { attemptId, problem: problem.message },
        'the progress of a heartbeat cannot be stored',
      );
    }
    return false;
  }
}
