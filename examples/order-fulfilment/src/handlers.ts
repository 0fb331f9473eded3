import { createHash } from 'node:crypto';
import { defineAgent, defineStep, StepFailure } from '@flotilla/steps';
import { z } from 'zod';

const itemsZ = z.array(z.object({ sku: z.string(), quantity: z.int().min(1) })).min(1);

/** What things cost. Stands in for a price service. */
const PRICES: Readonly<Record<string, number>> = { mug: 12.5, poster: 20, desk: 480, sofa: 1290 };

export const reserve = defineStep({
  name: 'inventory.reserve',
  input: z.object({ orderId: z.string(), items: itemsZ }),
  output: z.object({ reservation: z.string(), lines: z.int() }),
  run: ({ orderId, items }, { logger }) => {
    logger.info({ orderId, lines: items.length }, 'items reserved');
    return { reservation: `R-${orderId}`, lines: items.length };
  },
});

/** Routed by capability: any worker with an agent that can do `pricing` may take the step. */
export const pricing = defineAgent({
  capability: 'pricing',
  name: 'list-prices',
  input: z.object({ items: itemsZ }),
  output: z.object({ total: z.number(), currency: z.string() }),
  run: ({ items }) => {
    const total = items.reduce((sum, { sku, quantity }) => {
      const price = PRICES[sku];
      // Trying again will not make it known.
      if (price === undefined) throw new StepFailure(`no price for ${sku}`, { code: 'UNKNOWN_SKU', retryable: false });
      return sum + price * quantity;
    }, 0);
    return { total, currency: 'EUR' };
  },
});

export const approve = defineStep({
  name: 'approvals.request',
  input: z.object({ orderId: z.string(), total: z.number() }),
  output: z.object({ approvedBy: z.string() }),
  run: ({ total }) => ({ approvedBy: total > 10_000 ? 'head of sales' : 'sales' }),
});

export const charge = defineStep({
  name: 'payments.charge',
  input: z.object({ orderId: z.string(), amount: z.number().positive() }),
  output: z.object({ amount: z.number(), payment: z.string() }),
  // A step may be attempted more than once. The key is the same each time, so the payment service charges once.
  run: ({ amount }, { idempotencyKey }) => ({ amount, payment: `P-${shortHash(idempotencyKey)}` }),
});

export const dispatch = defineStep({
  name: 'shipping.dispatch',
  input: z.object({ orderId: z.string(), reservation: z.string() }),
  output: z.object({ tracking: z.string() }),
  run: ({ reservation }, { idempotencyKey }) => ({ tracking: `${reservation}-${shortHash(idempotencyKey)}` }),
});

export const sendMail = defineStep({
  name: 'mail.send',
  input: z.object({ to: z.string(), subject: z.string() }),
  output: z.object({ to: z.string(), sent: z.literal(true) }),
  run: ({ to }) => {
    if (!to.includes('@')) throw new StepFailure(`${to} is not an address`, { code: 'BAD_ADDRESS', retryable: false });
    return { to, sent: true as const };
  },
});

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
