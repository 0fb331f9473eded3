import { handlersOf } from '@flotilla/steps';
import { expect, test } from '@jest/globals';
import * as agents from './agents.ts';

test('the module has an agent for each capability that the workflow asks for', () => {
  expect(handlersOf(agents).map(({ capability }) => capability)).toEqual(
    expect.arrayContaining(['planning', 'reading', 'recalling', 'reviewing', 'writing']),
  );
});
