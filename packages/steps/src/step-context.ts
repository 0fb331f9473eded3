import type { Json } from '@flotilla/contracts';

/** What a handler logs with. Fields come first, as in pino; run, step and attempt are added to every line. */
export interface StepLogger {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** Progress inside a step that survives the attempt: what one attempt saved, the next one loads. */
export interface StepCheckpoint {
  /**
   * Resolves when the state is stored. Rejects when it is not JSON within the limits (`STEP_OUTPUT_INVALID`), and when
   * this attempt has been superseded by another: stop then.
   */
  save(state: Json): Promise<void>;
  /** The last saved state of this step, whichever attempt saved it; undefined when there is none. */
  load(): Promise<Json | undefined>;
}

export interface ReceiveOptions {
  key?: string;
  count?: number;
  timeoutMs?: number;
}

/** A channel, as an attempt talks to it. */
export interface StepChannel {
  /**
   * Sends a message when this attempt commits: in the same transition as its result, once. An attempt that fails, is lost or
   * is superseded has sent nothing. Messages of one `key` (default '') arrive in the order in which they were sent. A channel
   * that is full lets them in as room comes free.
   * @throws FlotillaError `CHANNEL_REFUSED` when the message is not JSON within the limits, is larger than the channel's
   * `maxBytes`, the attempt has sent 100 messages or 1 MiB, or this is a cleanup.
   */
  send(message: Json, options?: { key?: string }): Promise<void>;
  /**
   * Takes messages, those of one key in their order: up to `count` (default 1, at most 100) of `key`, or of whichever key has
   * waited longest. Waits up to `timeoutMs` for the first (default 0); gives an empty list when there is none by then.
   * They are consumed when this attempt commits, in the same transition. Until then nobody gets them or later ones of their
   * key; when the attempt fails or is lost they go to whoever asks next, first of their key as before.
   * @throws FlotillaError `CHANNEL_REFUSED` when the options are none, or this is a cleanup; the signal's reason when it aborts.
   */
  receive(options?: ReceiveOptions): Promise<Json[]>;
}

/** What an attempt has used; what is left out is nothing. */
export interface UsedByStep {
  /** To a millionth, rounded up. */
  costUSD?: number;
  tokens?: number;
}

export interface StepUsage {
  /**
   * Counts for the run what this attempt has used, beside what it has told before. It stays counted when the attempt fails or is
   * lost. Resolves when it is stored: tell of a call before it is made, as far as its cost is known.
   * @throws FlotillaError `BUDGET_EXCEEDED` when the run has used more than its `budget` allows (this is counted all the same):
   * no retry follows; with `onExceeded: pause` the run is paused instead. `USAGE_INVALID` when it is no amount.
   */
  add(used: UsedByStep): Promise<void>;
}

/** What a handler is given beside its input. One context belongs to one attempt. */
export interface StepContext {
  readonly runId: string;
  /** In a map the instance, such as `notify[3]`. */
  readonly stepId: string;
  /** From 1. Attempts that were lost with their worker do not count. */
  readonly attempt: number;
  /**
   * `run/step`: the same for every attempt of this step. Hand it to whatever has effects, so that it can deduplicate. A step
   * that was undone by a cleanup and is made again by a retry has another one, `run/step/opening/N`.
   */
  readonly idempotencyKey: string;
  /** Grows with each claim of the step. A store that keeps the highest one it has seen can refuse a late writer. */
  readonly fence: number;
  /** Aborts when the run is cancelled, a time limit is over, the worker drains or the lease is lost. `reason` says which. */
  readonly signal: AbortSignal;
  readonly logger: StepLogger;
  readonly checkpoint: StepCheckpoint;
  /** Proof of progress, for steps with `timeouts.heartbeatMs`. Cheap; the progress given last is the one shown. */
  heartbeat(progress?: Json): void;
  /** Runs when the attempt has ended, whatever its end, in reverse order of registration. An error in it is logged. */
  onCleanup(cleanup: () => void | Promise<void>): void;
  /**
   * Has a handler called when the run ends as failed, cancelled or timed out: with this input, once nothing of the run is
   * live, last registered first, whatever became of this attempt and its worker. Resolves when that is stored, so do it
   * before what is to be undone. The same handler and input of a step are one, also when several attempts register them.
   * @throws FlotillaError `CLEANUP_REFUSED` when it is not the name of a handler, the input is not JSON within the limits,
   * the step has registered 100, or this is a cleanup itself.
   */
  registerCleanup(handler: string, input?: Json): Promise<void>;
  /**
   * A channel of this name: with the settings of the definition's `channels`, else one of the deployment.
   * @throws FlotillaError `CHANNEL_REFUSED` when that is not a name.
   */
  channel(name: string): StepChannel;
  readonly usage: StepUsage;
  /**
   * Says that a tool is about to be used.
   * @throws FlotillaError `TOOL_NOT_ALLOWED` when the step has a `toolAllowlist` without it.
   */
  tool(name: string): void;
}
