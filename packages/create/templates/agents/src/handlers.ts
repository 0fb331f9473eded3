import { defineAgent, NonRetryableError } from '@flotilla/steps';
import { z } from 'zod';
import { noteOf, sourceNames } from './sources.ts';

export const planner = defineAgent({
  capability: 'planning',
  name: 'planner',
  input: z.object({ question: z.string().min(1) }),
  output: z.object({ sources: z.array(z.string()) }),
  run: () => ({ sources: sourceNames() }),
});

export const reader = defineAgent({
  capability: 'reading',
  name: 'reader',
  input: z.object({ source: z.string() }),
  output: z.object({ note: z.string() }),
  run: ({ source }, { usage, logger }) => {
    const note = noteOf(source);
    if (note === undefined) throw new NonRetryableError(`there is no source ${source}`);
    // What the model has cost; the run's budget is measured by it.
    usage.add({ costUSD: 0.001, tokens: note.length });
    logger.info({ source }, 'read');
    return { note };
  },
});

export const writer = defineAgent({
  capability: 'writing',
  name: 'writer',
  input: z.object({ question: z.string(), notes: z.array(z.object({ note: z.string() })) }),
  output: z.object({ answer: z.string() }),
  run: ({ notes }) => ({ answer: notes.map(({ note }) => note).join(' ') }),
});
