import { describe, expect, test } from '@jest/globals';
import { errorOfAnswer, errorOfConnection, isWorthRetrying } from './answer-errors.ts';

describe('errorOfAnswer', () => {
  test('is what the problem document says', () => {
    const document = {
      type: 'urn:x',
      title: 't',
      status: 503,
      code: 'STORAGE_FULL',
      detail: 'Redis is full',
      retryAfterMs: 700,
      ambiguous: true,
      problems: [{ code: 'C', path: '/p', message: 'm' }],
    };
    expect(errorOfAnswer(503, JSON.stringify(document))).toMatchObject({
      code: 'STORAGE_FULL',
      message: 'Redis is full',
      retryAfterMs: 700,
      ambiguous: true,
      problems: [{ code: 'C', path: '/p', message: 'm' }],
    });
  });

  test.each(['NEW_CODE', 'toString', '__proto__'])('keeps the text of the unknown code %s', (code) => {
    const error = errorOfAnswer(500, JSON.stringify({ code, detail: 'of a newer server' }));
    expect([error.code, error.message]).toEqual(['INTERNAL', `${code}: of a newer server`]);
  });

  test.each<[number, string, string, boolean]>([
    [502, '<html>bad gateway</html>', 'SCHEDULER_UNREACHABLE', true],
    [503, '', 'SCHEDULER_UNREACHABLE', false],
    [504, 'null', 'SCHEDULER_UNREACHABLE', true],
    [404, '<html>nginx</html>', 'INTERNAL', false],
    [302, '', 'INTERNAL', false],
  ])('of something in between that answers %i %s is %s', (status, text, code, ambiguous) => {
    expect(errorOfAnswer(status, text)).toMatchObject({ code, ambiguous });
  });
});

describe('errorOfConnection', () => {
  const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });

  test.each<[string, unknown, boolean]>([
    ['refused', new TypeError('fetch failed', { cause: refused }), false],
    [
      'refused at every address',
      new TypeError('fetch failed', { cause: new AggregateError([refused, refused]) }),
      false,
    ],
    ['reset', new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNRESET' }) }), true],
    ['closed', new TypeError('terminated', { cause: Object.assign(new Error(), { code: 'UND_ERR_SOCKET' }) }), true],
    ['without a cause', new TypeError('fetch failed'), true],
    ['that is no error', 'oops', true],
  ])('of a connection %s says whether the call may have arrived', (_what, thrown, ambiguous) => {
    expect(errorOfConnection(thrown, 'http://x')).toMatchObject({ code: 'SCHEDULER_UNREACHABLE', ambiguous });
  });
});

test.each<[string, boolean]>([
  ['OVERLOADED', true],
  ['REDIS_UNAVAILABLE', true],
  ['DEADLINE_EXCEEDED', true],
  ['SCHEDULER_UNREACHABLE', true],
  ['DATA_LOSS', false],
  ['RUN_NOT_FOUND', false],
  ['INTERNAL', false],
  ['CALL_ABORTED', false],
])('%s is worth retrying: %s', (code, expected) => {
  expect(isWorthRetrying(errorOfAnswer(500, JSON.stringify({ code, detail: '' })))).toBe(expected);
});
