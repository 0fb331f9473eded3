import { setTimeout as wait } from 'node:timers/promises';
import { defineStep, StepFailure } from '@flotilla/steps';
import { z } from 'zod';

/** Stands in for a price service, which takes its time. */
const PRICES: Readonly<Record<string, number>> = { mug: 12.5, poster: 20, desk: 480 };
const PRICE_SERVICE_MS = 400;

export const checkCredit = defineStep({
  name: 'invoice.check-credit',
  input: z.object({ customer: z.string() }),
  output: z.object({ limit: z.number() }),
  run: ({ customer }) => ({ limit: customer === 'Ada' ? 5000 : 100 }),
});

export const priceLine = defineStep({
  name: 'invoice.price-line',
  input: z.object({ article: z.string(), quantity: z.int().min(1) }),
  output: z.object({ amount: z.number() }),
  run: async ({ article, quantity }, { signal }) => {
    await wait(PRICE_SERVICE_MS, undefined, { signal });
    const price = PRICES[article];
    // A plain error is tried again; this one will not go away by trying.
    if (price === undefined) throw new StepFailure(`no price for ${article}`, { code: 'NO_PRICE', retryable: false });
    return { amount: price * quantity };
  },
});

export const send = defineStep({
  name: 'invoice.send',
  input: z.object({ customer: z.string(), limit: z.number(), amounts: z.array(z.number()) }),
  output: z.object({ invoice: z.string(), total: z.number(), payInAdvance: z.boolean() }),
  run: ({ limit, amounts }, { idempotencyKey, logger }) => {
    const total = amounts.reduce((sum, amount) => sum + amount, 0);
    // The same for every attempt of this step: a mail service that is given it sends the invoice once.
    logger.info({ idempotencyKey }, 'sending');
    return { invoice: `I-${idempotencyKey.slice(0, 8)}`, total, payInAdvance: total > limit };
  },
});
