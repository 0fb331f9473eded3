import type { TransitionBatch } from './transition-batch.ts';
import { claimTransitions } from './transitions/claim.ts';
import { cleanUpTransitions } from './transitions/clean-up.ts';
import { commitTransitions } from './transitions/commit.ts';
import { deadLetterTransitions } from './transitions/dead-letters.ts';
import { dispatchTransitions } from './transitions/dispatch.ts';
import { endTransitions } from './transitions/end-run.ts';
import { failTransitions } from './transitions/fail.ts';
import { loopTransitions } from './transitions/loops.ts';
import { pauseTransitions } from './transitions/pause-run.ts';
import { pruneTransitions } from './transitions/prune-run.ts';
import { releaseTransitions } from './transitions/release.ts';
import { leaseTransitions } from './transitions/renew.ts';
import { retryTransitions } from './transitions/retry-run.ts';
import { progressTransitions } from './transitions/save-progress.ts';
import { settleTransitions } from './transitions/settle.ts';
import { waitingTransitions } from './transitions/start-waiting.ts';
import { indexTransitions } from './transitions/tidy-indexes.ts';
import { timerTransitions } from './transitions/timers.ts';
import { traceTransitions } from './transitions/traces.ts';
import { usageTransitions } from './transitions/usage.ts';
import { waitTransitions } from './transitions/waits.ts';

/**
 * The transitions as functions: arguments in, typed replies out. Each is in the file of `transitions/` that is named like its
 * Lua file, which says what it does.
 */
export const createTransitions = (batch: TransitionBatch) => ({
  ...claimTransitions(batch),
  ...cleanUpTransitions(batch),
  ...commitTransitions(batch),
  ...deadLetterTransitions(batch),
  ...dispatchTransitions(batch),
  ...endTransitions(batch),
  ...failTransitions(batch),
  ...loopTransitions(batch),
  ...pauseTransitions(batch),
  ...pruneTransitions(batch),
  ...indexTransitions(batch),
  ...releaseTransitions(batch),
  ...leaseTransitions(batch),
  ...retryTransitions(batch),
  ...progressTransitions(batch),
  ...settleTransitions(batch),
  ...waitingTransitions(batch),
  ...timerTransitions(batch),
  ...traceTransitions(batch),
  ...usageTransitions(batch),
  ...waitTransitions(batch),
});

export type Transitions = ReturnType<typeof createTransitions>;
