import { defineStep } from '@flotilla/steps';
import { z } from 'zod';

export function greetingFor(name: string): string {
  return `Welcome aboard, ${name}!`;
}

export const greet = defineStep({
  name: 'welcome.greet',
  input: z.object({ name: z.string().min(1) }),
  output: z.object({ text: z.string(), attempts: z.number() }),
  run: ({ name }, { attempt, logger }) => {
    logger.info({ attempt }, 'greeting');
    return { text: greetingFor(name), attempts: attempt };
  },
});
