import { readFileSync } from 'node:fs';
import { handlersOf } from '@flotilla/steps';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import * as handlers from './handlers.ts';
import workflow from './workflow.ts';

test('the workflow in YAML and the one in TypeScript are the same document', () => {
  const yaml = readFileSync(new URL('../order-fulfilment.yaml', import.meta.url), 'utf8');
  const document: unknown = parse(yaml);
  expect(workflow).toEqual(document);
  // The order of the steps counts as well: a plan numbers them.
  expect(Object.keys(workflow.steps)).toEqual(Object.keys((document as typeof workflow).steps));
});

test('the module has every handler that the workflow uses', () => {
  expect(
    handlersOf(handlers)
      .map(({ use }) => use)
      .sort(),
  ).toEqual([
    'agent:pricing',
    'approvals.request',
    'inventory.reserve',
    'mail.send',
    'payments.charge',
    'shipping.dispatch',
  ]);
});
