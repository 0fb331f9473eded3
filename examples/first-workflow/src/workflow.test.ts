import { readFileSync } from 'node:fs';
import { handlersOf } from '@flotilla/steps';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import * as handlers from './handlers.ts';
import workflow from './workflow.ts';

test('the workflow in YAML and the one in TypeScript are the same document', () => {
  const document: unknown = parse(readFileSync(new URL('../invoice.yaml', import.meta.url), 'utf8'));
  expect(workflow).toEqual(document);
});

test('the module has every handler that the workflow uses', () => {
  expect(handlersOf(handlers).map(({ use }) => use)).toEqual([
    'invoice.check-credit',
    'invoice.price-line',
    'invoice.send',
  ]);
});
