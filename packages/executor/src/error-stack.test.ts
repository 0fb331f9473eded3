import { describe, expect, test } from '@jest/globals';
import { describeStack } from './error-stack.ts';

const FRAMES = '\n    at charge (file:///srv/handlers/pay.ts:12:9)\n    at run (file:///srv/handlers/pay.ts:30:3)';
const thrown = (message: string, more: object = {}) =>
  Object.assign(new Error(message), { stack: `Error: ${message}${FRAMES}`, ...more });

describe('the stack of an error', () => {
  test('says where it was thrown, and where its causes were and with which words', () => {
    const cause = Object.assign(new TypeError('no such card'), { stack: `TypeError: no such card${FRAMES}` });
    expect(describeStack(thrown('card 4000', { cause }))?.split('\n')).toEqual([
      'Error',
      '    at charge (file:///srv/handlers/pay.ts:12:9)',
      '    at run (file:///srv/handlers/pay.ts:30:3)',
      'caused by TypeError: no such card',
      '    at charge (file:///srv/handlers/pay.ts:12:9)',
      '    at run (file:///srv/handlers/pay.ts:30:3)',
    ]);
  });

  test('leaves out frames of Node and of what calls the handler', () => {
    const stack = [
      'Error: x',
      '    at own (/srv/handlers/pay.ts:1:1)',
      '    at runHandler (/srv/flotilla/packages/executor/src/run-handler.ts:40:9)',
      '    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)',
      '    at node:internal/main:1:1',
    ].join('\n');
    expect(describeStack({ stack })).toBe('Error\n    at own (/srv/handlers/pay.ts:1:1)');
  });

  test('holds no secrets of causes', () => {
    const cause = thrown('GET https://user:hunter2@bank.example failed, apiToken=abc123');
    const stack = describeStack(thrown('failed', { cause }));
    expect(stack).toContain('bank.example');
    expect(stack).not.toMatch(/hunter2|abc123/);
  });

  test.each([
    [
      'a circle of causes',
      () => {
        const error = thrown('x');
        Object.assign(error, { cause: error });
        return error;
      },
    ],
    ['a hundred thousand frames', () => ({ stack: `Error: x${FRAMES.repeat(50_000)}` })],
    ['a message of a megabyte', () => thrown('x', { cause: thrown('y'.repeat(1_000_000)) })],
    ['half a character at the cut', () => thrown('x', { cause: { message: '\u{1F600}'.repeat(400) } })],
  ])('is short, whatever was thrown: %s', (_what, make) => {
    const stack = describeStack(make());
    expect(stack!.length).toBeLessThanOrEqual(3072);
    expect(stack!.isWellFormed()).toBe(true);
  });

  test.each([null, undefined, 'text', 7, {}, { stack: 5 }])('is none of what has none: %p', (value) => {
    expect(describeStack(value)).toBeUndefined();
  });

  test('is none of what cannot be read', () => {
    const get = () => {
      throw new Error('no');
    };
    expect(describeStack(new Proxy({}, { get }))).toBeUndefined();
  });
});
