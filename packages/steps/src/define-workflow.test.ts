import { definitionZ } from '@flotilla/contracts';
import { expect, test } from '@jest/globals';
import { defineAgent, defineStep } from './define-step.ts';
import { defineWorkflow } from './define-workflow.ts';

const charge = defineStep({ name: 'payments.charge', run: () => null });
const refund = defineStep({ name: 'payments.refund', run: () => null });
const pricing = defineAgent({ capability: 'pricing', name: 'price-bot', run: () => null });

test('a workflow is the JSON document that YAML would give, with handlers as names', () => {
  const workflow = defineWorkflow({
    name: 'order',
    version: '1.0.0',
    steps: {
      price: { kind: 'agent', capability: pricing },
      large: { kind: 'branch', needs: ['price'], cases: [{ when: 'true', to: 'charge' }], otherwise: 'wait' },
      charge: { kind: 'task', use: charge, compensate: refund, join: 'any', needs: ['price'] },
      wait: { kind: 'delay', forMs: 10 },
      each: { kind: 'map', over: '[1]', needs: ['charge'], each: { kind: 'task', use: charge } },
      call: { kind: 'http', request: { url: 'https://example.com' } },
    },
    output: '${{ steps.charge.output }}',
  });
  const document: unknown = JSON.parse(JSON.stringify(workflow));
  expect(workflow).toEqual(document);
  expect(definitionZ.safeParse(document).error).toBeUndefined();
  expect(document).toEqual({
    flotilla: 1,
    name: 'order',
    version: '1.0.0',
    steps: {
      price: { kind: 'agent', capability: 'pricing' },
      large: { kind: 'branch', needs: ['price'], cases: [{ when: 'true', to: 'charge' }], otherwise: 'wait' },
      charge: {
        kind: 'task',
        use: 'payments.charge',
        compensate: 'payments.refund',
        join: 'any',
        needs: ['price'],
      },
      wait: { kind: 'delay', forMs: 10 },
      each: { kind: 'map', over: '[1]', needs: ['charge'], each: { kind: 'task', use: 'payments.charge' } },
      call: { kind: 'http', request: { url: 'https://example.com' } },
    },
    output: '${{ steps.charge.output }}',
  });
});

test('the order of the steps is the order in which they are written', () => {
  const workflow = defineWorkflow({
    name: 'order',
    steps: { z: { kind: 'delay', forMs: 0 }, a: { kind: 'delay', forMs: 0 }, m: { kind: 'delay', forMs: 0 } },
  });
  expect(Object.keys(workflow.steps)).toEqual(['z', 'a', 'm']);
});

test('the compiler refuses needs and branch targets that are not steps', () => {
  defineWorkflow({
    name: 'typo',
    steps: {
      first: { kind: 'delay', forMs: 0 },
      // @ts-expect-error there is no step `frist`
      second: { kind: 'delay', forMs: 0, needs: ['frist'] },
      // @ts-expect-error there is no step `third`
      choose: { kind: 'branch', cases: [{ when: 'true', to: 'third' }] },
    },
  });
});
