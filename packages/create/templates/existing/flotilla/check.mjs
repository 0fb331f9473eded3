// Run by `npm run flotilla:test`. Not named .test: the project's own test runner may be another.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handlersOf } from '@flotilla/steps';
import * as handlers from './handlers.mts';

test('a greeting has the name in it', () => {
  assert.equal(handlers.greetingFor('Ada'), 'Welcome aboard, Ada!');
});

test('there is a handler for each task of welcome.yaml', () => {
  assert.deepEqual(
    handlersOf(handlers).map(({ use }) => use),
    ['welcome.greet'],
  );
});
