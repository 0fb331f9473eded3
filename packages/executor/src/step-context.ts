import { DEFAULT_JSON_LIMITS, FlotillaError, findJsonProblem, type Json } from '@flotilla/contracts';
import { canonicalJson } from '@flotilla/engine';
import { type AttemptAddress, type ClaimedAttempt, checkpointChecksum, verifyCheckpoint } from '@flotilla/state';
import type { StepCheckpoint, StepContext, StepLogger } from '@flotilla/steps';
import type { AttemptControl } from './attempt-control.ts';
import type { Assignment } from './chain.ts';
import type { ExecutorOptions } from './executor.ts';

/** A cleanup that outlives this is left alone. */
const CLEANUP_LIMIT_MS = 5000;

/** What a handler is given. Costs nothing until used: the logger and checkpoint are made when asked for. */
export class AttemptContext implements StepContext {
  readonly runId: string;
  readonly stepId: string;
  readonly attempt: number;
  readonly fence: number;
  /** Seq of the last progress saved or loaded; the committed result comes behind it. */
  progressSeq = 0;
  readonly #options: ExecutorOptions;
  readonly #assignment: Assignment;
  readonly #address: AttemptAddress;
  readonly #claimed: ClaimedAttempt;
  readonly #control: AttemptControl;
  readonly #startedAt = performance.now();
  readonly #cleanups: (() => void | Promise<void>)[] = [];
  #logger: StepLogger | undefined;

  constructor(
    options: ExecutorOptions,
    assignment: Assignment,
    address: AttemptAddress,
    claimed: ClaimedAttempt,
    control: AttemptControl,
  ) {
    this.#options = options;
    this.#assignment = assignment;
    this.#address = address;
    this.#claimed = claimed;
    this.#control = control;
    this.runId = address.runId;
    this.stepId = assignment.stepId;
    this.attempt = claimed.failures + 1;
    this.fence = claimed.fence;
  }

  get idempotencyKey(): string {
    return `${this.runId}/${this.stepId}`;
  }

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  get logger(): StepLogger {
    const logger =
      this.#logger ?? this.#options.logger.child({ runId: this.runId, stepId: this.stepId, attempt: this.attempt });
    this.#logger = logger;
    return logger;
  }

  get checkpoint(): StepCheckpoint {
    return { save: (state) => this.#save(state), load: () => this.#load() };
  }

  // Functions, not methods: authors take them out of the context (`run: (input, { tool }) => …`).
  readonly heartbeat = (progress?: Json): void => this.#control.heartbeat(progress);

  readonly onCleanup = (cleanup: () => void | Promise<void>): void => {
    this.#cleanups.push(cleanup);
  };

  readonly tool = (name: string): void => {
    const allowed = this.#assignment.work.toolAllowlist;
    if (allowed === undefined || allowed.includes(name)) return;
    throw new FlotillaError('TOOL_NOT_ALLOWED', `step ${this.stepId} may not use the tool ${name}`);
  };

  /** Runs the registered cleanups, last first, each within a limit. Never rejects. */
  async cleanUp(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) {
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`a cleanup took longer than ${CLEANUP_LIMIT_MS} ms`)),
          CLEANUP_LIMIT_MS,
        );
      });
      try {
        await Promise.race([Promise.resolve().then(cleanup), limit]);
      } catch (error) {
        this.logger.warn({ error }, 'a cleanup failed');
      } finally {
        clearTimeout(timer);
      }
    }
  }

  async #save(state: Json): Promise<void> {
    const problem = findJsonProblem(state, this.#options.outputLimits ?? DEFAULT_JSON_LIMITS);
    if (problem !== undefined)
      throw new FlotillaError('STEP_OUTPUT_INVALID', `the checkpoint cannot be stored: ${problem.message}`);
    if (this.progressSeq === 0) await this.#load();
    const stateJson = canonicalJson(state);
    const seq = this.progressSeq + 1;
    const ts = this.#claimed.claimedAt + Math.round(performance.now() - this.#startedAt);
    const { runId, fence } = this.#address;
    const checksum = checkpointChecksum({ runId, stepId: this.stepId, seq, fence, stateJson, ts, previous: '' });
    const saved = await this.#options.state.transitions.saveProgress(this.#address, stateJson, {
      ts,
      seq,
      checksum,
      previous: String(fence),
    });
    if (!saved) {
      this.#control.abort('superseded');
      throw this.signal.reason;
    }
    this.progressSeq = seq;
  }

  async #load(): Promise<Json | undefined> {
    const stored = await this.#options.state.transitions.loadProgress(this.#address);
    if (stored === undefined) return undefined;
    const { ts, seq, checksum, previous } = stored.checkpoint;
    // In-step progress is saved under the fence of its own attempt, which stands in the place of `previous`.
    const envelope = {
      runId: this.runId,
      stepId: this.stepId,
      seq,
      fence: Number(previous),
      stateJson: stored.stateJson,
      ts,
      previous: '',
    };
    try {
      verifyCheckpoint(envelope, checksum);
    } catch (error) {
      const data = JSON.stringify({ code: 'DATA_CORRUPTION', checkpointSeq: seq });
      await this.#options.state.transitions.reportCorruption(this.#address, data);
      throw error;
    }
    this.progressSeq = seq;
    return JSON.parse(stored.stateJson) as Json;
  }
}
