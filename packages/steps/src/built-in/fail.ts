import { MAX_DURATION_MS } from '@flotilla/contracts';
import { z } from 'zod';
import { defineStep } from '../define-step.ts';
import { StepFailure } from '../step-failure.ts';

/** `flotilla.fail`: fails the first `times` attempts as asked, then succeeds with `{ attempts }`. For trying out retries. */
export const fail = defineStep({
  name: 'flotilla.fail',
  input: z.strictObject({
    times: z.int().min(0),
    code: z.string().min(1).max(128).optional(),
    message: z.string().max(1024).optional(),
    status: z.int().min(100).max(599).optional(),
    retryAfterMs: z.int().min(0).max(MAX_DURATION_MS).optional(),
  }),
  output: z.strictObject({ attempts: z.int() }),
  run: ({ times, code, message, status, retryAfterMs }, { attempt }) => {
    if (attempt > times) return { attempts: attempt };
    throw new StepFailure(message ?? `failed as asked: attempt ${attempt} of ${times} that fail`, {
      ...(code === undefined ? {} : { code }),
      ...(status === undefined ? {} : { status }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  },
});
