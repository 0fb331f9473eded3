import { FlotillaError, type Json } from '@flotilla/contracts';
import type { StepCheckpoint } from '@flotilla/steps';
import type { ExecutorOptions } from '../executor-options.ts';
import { AttemptContext, type AttemptOfContext } from '../step-context.ts';

/** What the handler of a compensation or registered cleanup is given. It has nothing to save and nothing to undo. */
export class CleanupContext extends AttemptContext {
  readonly #number: number;

  /** `number`: which cleanup of the run, from 0. */
  constructor(options: ExecutorOptions, attempt: AttemptOfContext, number: number) {
    super(options, attempt);
    this.#number = number;
  }

  /** The same for every attempt of this cleanup; another than its step's, and another once the step was made again. */
  override get idempotencyKey(): string {
    return `${super.idempotencyKey}/cleanup/${this.#number}`;
  }

  override get checkpoint(): StepCheckpoint {
    return {
      save: () => Promise.reject(new FlotillaError('CLEANUP_REFUSED', 'a cleanup has no checkpoints of its own')),
      load: () => Promise.resolve(undefined),
    };
  }

  protected override openChannel(_name: string): never {
    throw new FlotillaError('CHANNEL_REFUSED', 'a cleanup uses no channels');
  }

  protected override register(_handler: string, _input: Json): Promise<void> {
    return Promise.reject(new FlotillaError('CLEANUP_REFUSED', 'a cleanup registers no cleanups'));
  }
}
