import { FlotillaError, type Json } from '@flotilla/contracts';
import type { StepCheckpoint } from '@flotilla/steps';
import { AttemptContext } from './step-context.ts';

/** What the handler of a compensation or registered cleanup is given. It has nothing to save and nothing to undo. */
export class CleanupContext extends AttemptContext {
  /** Which cleanup of the run, from 0. Set before the handler runs. */
  cleanup = 0;

  /** The same for every attempt of this cleanup; another than its step's, and another once the step was made again. */
  override get idempotencyKey(): string {
    return `${super.idempotencyKey}/cleanup/${this.cleanup}`;
  }

  override get checkpoint(): StepCheckpoint {
    return {
      save: () => Promise.reject(new FlotillaError('CLEANUP_REFUSED', 'a cleanup has no checkpoints of its own')),
      load: () => Promise.resolve(undefined),
    };
  }

  protected override register(_handler: string, _input: Json): Promise<void> {
    return Promise.reject(new FlotillaError('CLEANUP_REFUSED', 'a cleanup registers no cleanups'));
  }
}
