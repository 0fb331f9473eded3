import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { agentUse, defineAgent, defineStep, isHandler } from './define-step.ts';

describe('defineStep', () => {
  test('makes a frozen handler whose use is its name', () => {
    const run = () => null;
    const handler = defineStep({ name: 'payments.charge', run });
    expect(handler).toEqual({ kind: 'step', use: 'payments.charge', name: 'payments.charge', run });
    expect(Object.isFrozen(handler)).toBe(true);
  });

  test('types run by the schemas: its input is what the schema puts out, its output what the schema takes in', () => {
    const handler = defineStep({
      name: 'price',
      input: z.object({ amount: z.number(), currency: z.string().default('EUR') }),
      output: z.object({ text: z.string() }),
      run: ({ amount, currency }) => ({ text: `${amount.toFixed(2)} ${currency.toLowerCase()}` }),
    });
    expect(handler.input?.parse({ amount: 1 })).toEqual({ amount: 1, currency: 'EUR' });
    // @ts-expect-error an output that the schema does not take is refused by the compiler
    defineStep({ name: 'wrong', output: z.object({ text: z.string() }), run: () => ({ text: 1 }) });
    // @ts-expect-error without a schema an output must still be JSON
    defineStep({ name: 'wrong', run: () => 1n });
  });
});

describe('defineAgent', () => {
  test('makes a handler that is found by its capability', () => {
    const agent = defineAgent({ capability: 'pricing', run: () => 1 });
    expect(agent).toMatchObject({ kind: 'agent', use: 'agent:pricing', name: 'pricing', capability: 'pricing' });
    expect(agentUse('pricing')).toBe('agent:pricing');
  });

  test('has a name of its own when one is given', () => {
    expect(defineAgent({ capability: 'pricing', name: 'price-bot', run: () => 1 }).name).toBe('price-bot');
  });
});

test('only what defineStep and defineAgent return is a handler', () => {
  expect(isHandler(defineStep({ name: 'a', run: () => null }))).toBe(true);
  expect(isHandler(defineAgent({ capability: 'a', run: () => null }))).toBe(true);
  for (const other of [null, undefined, 1, 'a', () => null, { name: 'a', kind: 'step', use: 'a', run: () => null }]) {
    expect(isHandler(other)).toBe(false);
  }
});
