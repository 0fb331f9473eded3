import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handlersOf } from '@flotilla/steps';
import { greetingFor } from './greeting.ts';
import * as handlers from './handlers.ts';

test('a greeting has the name in it', () => {
  assert.equal(greetingFor('Ada'), 'Welcome aboard, Ada!');
});

test('there is a handler for each task of welcome.yaml', () => {
  const uses = handlersOf(handlers).map(({ use }) => use);
  assert.deepEqual(uses.sort(), ['welcome.compose', 'welcome.deliver']);
});
