import { setTimeout as wait } from 'node:timers/promises';
import { defineStep } from '@flotilla/steps';
import { z } from 'zod';
import { greetingFor } from './greeting.ts';

export const greet = defineStep({
  name: 'hello.greet',
  input: z.object({ name: z.string() }),
  output: z.object({ text: z.string(), attempts: z.number() }),
  run: async ({ name }, { attempt, signal, logger }) => {
    logger.info({ name }, 'greeting');
    await wait(4000, undefined, { signal });
    return { text: greetingFor(name), attempts: attempt };
  },
});
