import { setTimeout as wait } from 'node:timers/promises';
import { defineStep } from '@flotilla/steps';
import { z } from 'zod';
import { greetingFor } from './greeting.ts';

export const compose = defineStep({
  name: 'welcome.compose',
  input: z.object({ name: z.string().min(1) }),
  output: z.object({ text: z.string() }),
  run: ({ name }) => ({ text: greetingFor(name) }),
});

export const deliver = defineStep({
  name: 'welcome.deliver',
  input: z.object({ text: z.string() }),
  output: z.object({ delivered: z.string(), attempts: z.number() }),
  run: async ({ text }, { attempt, signal, logger }) => {
    // Stands in for the mail server. Kill the worker here, and another one makes the step again.
    await wait(500, undefined, { signal });
    logger.info({ attempt }, 'delivered');
    return { delivered: text, attempts: attempt };
  },
});
