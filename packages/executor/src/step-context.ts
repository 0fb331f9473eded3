import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { DEFAULT_JSON_LIMITS, FlotillaError, findJsonProblem, idZ, type Json } from '@flotilla/contracts';
import { canonicalJson, type Plan } from '@flotilla/engine';
import type { AttemptAddress, ClaimedAttempt, CommittedChannelWork } from '@flotilla/state';
import type { StepChannel, StepCheckpoint, StepContext, StepLogger, StepUsage } from '@flotilla/steps';
import { AttemptChannels } from './attempt-channels.ts';
import type { AttemptControl } from './attempt-control.ts';
import { AttemptLog } from './attempt-log.ts';
import { runOutsideScope } from './attempt-scope.ts';
import { AttemptUsage } from './attempt-usage.ts';
import type { Assignment } from './chain.ts';
import type { ExecutorOptions } from './executor-options.ts';
import { StepCheckpoints } from './step-checkpoints.ts';

/** A cleanup that outlives this is left alone. */
const CLEANUP_LIMIT_MS = 5000;

/** The attempt that a context belongs to. */
export interface AttemptOfContext {
  definition: Plan['definition'];
  assignment: Assignment;
  address: AttemptAddress;
  claimed: ClaimedAttempt;
  control: AttemptControl;
}

/** What a handler is given. Costs nothing until used: the logger and checkpoint are made when asked for. */
export class AttemptContext implements StepContext {
  readonly runId: string;
  readonly stepId: string;
  readonly attempt: number;
  readonly fence: number;
  readonly #options: ExecutorOptions;
  readonly #definition: Plan['definition'];
  readonly #assignment: Assignment;
  readonly #address: AttemptAddress;
  readonly #claimed: ClaimedAttempt;
  readonly #control: AttemptControl;
  readonly #startedAt = performance.now();
  readonly #cleanups: (() => void | Promise<void>)[] = [];
  #log: AttemptLog | undefined;
  #checkpoints: StepCheckpoints | undefined;
  #channels: AttemptChannels | undefined;
  #usage: AttemptUsage | undefined;

  constructor(options: ExecutorOptions, { definition, assignment, address, claimed, control }: AttemptOfContext) {
    this.#definition = definition;
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

  /** What lines that the handler logs have besides. */
  logFields: Readonly<Record<string, string>> = {};

  /** Seq of the last progress saved or loaded; the committed result comes behind it. */
  get progressSeq(): number {
    return this.#checkpoints?.seq ?? 0;
  }

  /** What the attempt has done with channels, which goes with its commit. */
  get channelWork(): CommittedChannelWork | undefined {
    return this.#channels?.toCommit();
  }

  /** The attempt has committed: what it took from channels is consumed. */
  committed(): void {
    this.#channels = undefined;
  }

  get idempotencyKey(): string {
    const { redoneIn } = this.#claimed;
    const key = `${this.runId}/${this.stepId}`;
    // What was undone has to take effect again: under its old key it would be dropped as a repetition.
    return redoneIn === undefined ? key : `${key}/opening/${redoneIn}`;
  }

  get signal(): AbortSignal {
    return this.#control.signal;
  }

  get logger(): StepLogger {
    this.#log ??= new AttemptLog({
      logger: this.#options.logger.child({
        ...{ runId: this.runId, stepId: this.stepId, attempt: this.attempt },
        ...this.logFields,
      }),
      attempt: this.attempt,
      now: () => this.#redisNow(),
      store: (lines, { chunk, dropped }) => {
        const { tag, runId, key, attemptId } = this.#address;
        // What a cleanup logs stands with its step.
        const [stepKey = key] = key.split('!');
        return this.#options.state.appendLogs({
          tag,
          runId,
          key: stepKey,
          chunk: `${attemptId}.${chunk}`,
          lines,
          dropped,
        });
      },
    });
    return this.#log;
  }

  #redisNow(): number {
    return this.#claimed.claimedAt + Math.round(performance.now() - this.#startedAt);
  }

  protected async register(handler: string, input: Json): Promise<void> {
    if (!idZ.safeParse(handler).success) {
      throw new FlotillaError(
        'CLEANUP_REFUSED',
        `${JSON.stringify(handler).slice(0, 200)} is not the name of a handler`,
      );
    }
    const problem = findJsonProblem(input, this.#options.outputLimits ?? DEFAULT_JSON_LIMITS);
    if (problem !== undefined) {
      throw new FlotillaError('CLEANUP_REFUSED', `the input of the cleanup cannot be stored: ${problem.message}`);
    }
    const inputJson = canonicalJson(input);
    const digest = createHash('sha256').update(`${handler}\n${inputJson}`).digest('base64url').slice(0, 22);
    const registration = { use: handler, inputJson, digest };
    const number = await this.#options.state.transitions.registerCleanup(this.#address, registration);
    if (number !== undefined) return;
    this.#control.abort('superseded');
    throw this.signal.reason;
  }

  get usage(): StepUsage {
    const { state } = this.#options;
    this.#usage ??= new AttemptUsage({ state, address: this.#address, budget: this.#definition.budget });
    return this.#usage;
  }

  protected openChannel(name: string): StepChannel {
    const { state, channels: gate, outputLimits: limits } = this.#options;
    this.#channels ??= new AttemptChannels({
      ...{ state, gate, limits, address: this.#address, definition: this.#definition, signal: this.signal },
    });
    return this.#channels.open(name);
  }

  get checkpoint(): StepCheckpoint {
    this.#checkpoints ??= new StepCheckpoints({
      state: this.#options.state,
      address: this.#address,
      stepId: this.stepId,
      onCorrupt: this.#assignment.work.onCorruptCheckpoint,
      limits: this.#options.outputLimits,
      now: () => this.#redisNow(),
      superseded: () => {
        this.#control.abort('superseded');
        return this.signal.reason as unknown;
      },
    });
    return this.#checkpoints;
  }

  // Functions, not methods: authors take them out of the context (`run: (input, { tool }) => …`).
  readonly heartbeat = (progress?: Json): void => this.#control.heartbeat(progress);

  readonly onCleanup = (cleanup: () => void | Promise<void>): void => {
    // What goes wrong in it later is the handler's doing, too.
    this.#cleanups.push(AsyncLocalStorage.bind(cleanup));
  };

  readonly registerCleanup = (handler: string, input: Json = null): Promise<void> =>
    runOutsideScope(() => this.register(handler, input));

  readonly channel = (name: string): StepChannel => this.openChannel(name);

  readonly tool = (name: string): void => {
    const allowed = this.#assignment.work.toolAllowlist;
    if (allowed === undefined || allowed.includes(name)) return;
    throw new FlotillaError('TOOL_NOT_ALLOWED', `step ${this.stepId} may not use the tool ${name}`);
  };

  /** Runs the registered cleanups, last first, each within a limit, and stores what was logged. Never rejects. */
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
    if (this.#channels !== undefined) await this.#channels.release();
    if (this.#log !== undefined) await this.#log.end();
  }
}
