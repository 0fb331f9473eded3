import { setTimeout as wait } from 'node:timers/promises';
import { defineAgent, StepFailure } from '@flotilla/steps';
import { z } from 'zod';

/** What the agents know. Stands in for search and language models, so that the example runs anywhere. */
const LIBRARY: Readonly<Record<string, string>> = {
  almanac: 'Tides follow the moon by about fifty minutes a day.',
  atlas: 'The bay opens to the west and narrows at its head.',
  logbook: 'High water came half an hour after the table said.',
};
const READING_MS = 150;

export const planner = defineAgent({
  capability: 'planning',
  name: 'planner',
  input: z.object({ question: z.string().min(1) }),
  output: z.object({ sources: z.array(z.string()) }),
  run: (_input, context) => {
    // Refused when the step's toolAllowlist is without it.
    context.tool('catalogue');
    // One of them cannot be read: the map tolerates it.
    return { sources: [...Object.keys(LIBRARY), 'lost-scroll'] };
  },
});

export const reader = defineAgent({
  capability: 'reading',
  name: 'reader',
  input: z.object({ question: z.string(), source: z.string() }),
  output: z.object({ source: z.string(), note: z.string() }),
  run: async ({ source }, { signal, logger }) => {
    await wait(READING_MS, undefined, { signal });
    const note = LIBRARY[source];
    if (note === undefined) throw new StepFailure(`${source} cannot be found`, { code: 'NO_SOURCE', retryable: false });
    logger.info({ source }, 'read');
    return { source, note };
  },
});

export const recaller = defineAgent({
  capability: 'recalling',
  name: 'recaller',
  input: z.object({ question: z.string() }),
  output: z.object({ text: z.string() }),
  run: ({ question }) => ({ text: `Nothing settles "${question}" but looking.` }),
});

export const writer = defineAgent({
  capability: 'writing',
  name: 'writer',
  input: z.object({
    question: z.string(),
    notes: z.array(z.object({ source: z.string(), note: z.string() })),
    background: z.string(),
  }),
  output: z.object({ answer: z.string() }),
  run: ({ notes, background }) => {
    const cited = notes.map(({ source, note }) => `${note} (${source})`);
    return { answer: [background, ...cited].join(' ') };
  },
});

const turnZ = z.object({ text: z.string(), accepted: z.boolean() });
const CAUTION = 'As far as we know:';

/** Both sides of the review: who has the turn is in the input. The critic accepts no text that claims to be certain. */
export const reviewer = defineAgent({
  capability: 'reviewing',
  name: 'reviewer',
  input: z.object({
    who: z.enum(['critic', 'writer']),
    draft: z.string(),
    said: z.array(z.object({ speaker: z.string(), output: turnZ })),
  }),
  output: turnZ,
  run: ({ who, draft, said }) => {
    const text = said.at(-1)?.output.text ?? draft;
    if (who === 'critic') return { text, accepted: text.startsWith(CAUTION) };
    return { text: `${CAUTION} ${text}`, accepted: false };
  },
});
