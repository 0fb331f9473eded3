import type { Json } from '@flotilla/contracts';
import { expect, test } from '@jest/globals';
import { spreadKeyOf } from './attempt/step-input.ts';
import type { Assignment } from './chain.ts';

const assignmentOf = (work: object) => ({ work }) as Assignment;
const http = { use: 'flotilla.http', request: {} };

test.each<[string, object, Json, string]>([
  ['a breaker', { ...http, breaker: 'crm' }, { url: 'http://a.example/x' }, 'breaker crm'],
  ['an origin', http, { url: 'http://a.example:81/x?y' }, 'flotilla.http http://a.example:81'],
  ['no URL', http, { url: 'x' }, 'flotilla.http '],
  ['a handler', { use: 'work' }, { url: 'http://a.example/' }, 'work'],
])('spreads what fails behind one breaker, at one origin or in one handler: %s', (_what, work, input, expected) => {
  expect(spreadKeyOf(assignmentOf(work), input)).toBe(expected);
});
