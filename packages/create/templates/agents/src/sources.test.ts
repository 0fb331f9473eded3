import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handlersOf } from '@flotilla/steps';
import * as handlers from './handlers.ts';
import { noteOf, sourceNames } from './sources.ts';

test('each source has something to say', () => {
  for (const name of sourceNames()) assert.ok(noteOf(name));
  assert.equal(noteOf('lost-scroll'), undefined);
});

test('there is an agent for each capability that research.yaml asks for', () => {
  const capabilities = handlersOf(handlers).map(({ capability }) => capability);
  assert.deepEqual(capabilities.sort(), ['planning', 'reading', 'writing']);
});
