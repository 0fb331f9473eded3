import { setTimeout as wait } from 'node:timers/promises';
import { MAX_DURATION_MS } from '@flotilla/contracts';
import { z } from 'zod';
import { defineStep } from '../define-step.ts';

/** Node fires timers above this at once. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** `flotilla.sleep`: waits `ms` on the monotonic clock, never less, and returns `{ sleptMs }`. Ends early on abort. */
export const sleep = defineStep({
  name: 'flotilla.sleep',
  input: z.strictObject({ ms: z.int().min(0).max(MAX_DURATION_MS) }),
  output: z.strictObject({ sleptMs: z.int().min(0) }),
  run: async ({ ms }, { signal }) => {
    signal.throwIfAborted();
    const startedMs = performance.now();
    for (let leftMs = ms; leftMs > 0; leftMs = ms - (performance.now() - startedMs)) {
      await waitOrAbort(Math.min(Math.ceil(leftMs), LONGEST_TIMER_MS), signal);
    }
    return { sleptMs: Math.floor(performance.now() - startedMs) };
  },
});

/** Rejects with the AbortSignal's own reason, which says why the attempt ends. */
async function waitOrAbort(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await wait(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
