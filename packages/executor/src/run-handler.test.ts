import { DEFAULT_JSON_LIMITS, type Json } from '@flotilla/contracts';
import type { Handler, StepContext } from '@flotilla/steps';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { z } from 'zod';
import { AttemptControl } from './attempt-control.ts';
import { ABORT_GRACE_MS, type HandlerEnd, runHandler } from './run-handler.ts';

const control = () => new AttemptControl({ attemptMs: 60_000, heartbeatMs: undefined, totalLeftMs: undefined });
const context = {} as StepContext;

function handlerOf(run: (input: unknown) => unknown, schemas: Pick<Handler, 'input' | 'output'> = {}): Handler {
  return { kind: 'step', use: 'tested', name: 'tested', run: (input) => run(input), ...schemas };
}

async function endOf(handler: Handler, input: Json = {}, attempt = control()): Promise<HandlerEnd> {
  try {
    return await runHandler(handler, input, { context, control: attempt }, DEFAULT_JSON_LIMITS);
  } finally {
    attempt.stop();
  }
}

const codeOf = (end: HandlerEnd) => (end.kind === 'threw' ? (end.error as { code?: string }).code : end.kind);

class Money {
  readonly amount = 5;
}

function circle(): unknown {
  const list: unknown[] = [1];
  list.push({ list });
  return list;
}

function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

describe('what a handler returns', () => {
  test('is stored in canonical form', async () => {
    const end = await endOf(handlerOf(() => ({ b: [1.5, -0, 'ü'], a: null })));
    expect(end).toMatchObject({ kind: 'returned', outputJson: '{"a":null,"b":[1.5,0,"ü"]}' });
  });

  test('may be nothing, which is null', async () => {
    expect(await endOf(handlerOf(() => undefined))).toEqual({ kind: 'returned', output: null, outputJson: 'null' });
  });

  test('may come later, or from anything that can be awaited', async () => {
    expect(await endOf(handlerOf(async () => 'later'))).toMatchObject({ outputJson: '"later"' });
    // biome-ignore lint/suspicious/noThenProperty: that libraries return such things is what is tested
    const thenable = { then: (resolve: (value: unknown) => void) => resolve([1]) };
    expect(await endOf(handlerOf(() => thenable))).toMatchObject({ outputJson: '[1]' });
  });

  test('leaves properties that are undefined out, however deep, as JSON does', async () => {
    const output = () => ({ id: 1, remark: undefined, rows: [{ a: undefined, b: { c: undefined } }] });
    expect(await endOf(handlerOf(output))).toMatchObject({ outputJson: '{"id":1,"rows":[{"b":{}}]}' });
  });

  test.each([
    ['a BigInt', () => 1n],
    ['a BigInt inside', () => ({ a: [{ b: 5n }] })],
    ['a circle', circle],
    ['NaN', () => ({ mean: Number.NaN })],
    ['Infinity', () => Number.POSITIVE_INFINITY],
    ['undefined in a list', () => ({ a: [undefined] })],
    ['a toJSON that cannot be seen', () => Object.defineProperty({}, 'toJSON', { value: () => 'x'.repeat(3_000_000) })],
    ['a toJSON of a list', () => Object.assign([1], { toJSON: () => 'other' })],
    ['a hole in a list', () => Array(3)],
    ['a function', () => () => 1],
    ['a symbol', () => Symbol('x')],
    ['a Date', () => new Date(0)],
    ['a Map', () => new Map([[1, 2]])],
    ['an instance of a class', () => new Money()],
    ['bytes', () => Buffer.from('x')],
    ['a lone surrogate', () => '\ud800'],
    ['a getter', () => Object.defineProperty({}, 'a', { enumerable: true, get: () => 1 })],
    ['a forbidden key', () => JSON.parse('{"__proto__":{"admin":true}}')],
    ['65 levels', () => deep(65)],
    ['50 MB of text', () => 'x'.repeat(50_000_000)],
    ['50 MB in a million pieces', () => Array.from({ length: 1_000_000 }, () => 'x'.repeat(50))],
    ['more keys than anybody reads', () => Object.fromEntries(Array.from({ length: 200_000 }, (_, key) => [key, 1]))],
  ])('is refused when it is %s, which no other attempt would better', async (_, make) => {
    const end = await endOf(handlerOf(make));
    expect(end).toMatchObject({ kind: 'threw', error: { code: 'STEP_OUTPUT_INVALID' } });
    if (end.kind === 'threw') expect((end.error as Error).message.length).toBeLessThan(1000);
  });

  test('is what the schema makes of it', async () => {
    const output = z.object({ total: z.number().transform((total) => Math.round(total)) });
    expect(await endOf(handlerOf(() => ({ total: 2.6, extra: true }), { output }))).toMatchObject({
      output: { total: 3 },
    });
    const wrong = await endOf(handlerOf(() => ({ total: 'three' }), { output }));
    expect(wrong).toMatchObject({
      kind: 'threw',
      error: {
        code: 'STEP_OUTPUT_INVALID',
        problems: [{ path: '/total' }],
        message: expect.stringContaining('/total'),
      },
    });
  });
});

describe('what a handler is given', () => {
  test('is what the schema makes of the input', async () => {
    const input = z.object({ count: z.number().default(3) });
    expect(await endOf(handlerOf((given) => given, { input }))).toMatchObject({ output: { count: 3 } });
  });

  test('is checked before it runs', async () => {
    let ran = false;
    const handler = handlerOf(() => (ran = true), { input: z.object({ 'a/b': z.object({ c: z.string() }) }) });
    const end = await endOf(handler, { 'a/b': { c: 5 } });
    expect(end).toMatchObject({
      kind: 'threw',
      error: { code: 'STEP_INPUT_INVALID', problems: [{ path: '/a~1b/c' }] },
    });
    expect(ran).toBe(false);
  });
});

describe('a handler that fails', () => {
  test.each([
    ['an error', new RangeError('no')],
    ['a text', 'no'],
    ['nothing', undefined],
    ['null', null],
    ['an object', { status: 503 }],
  ])('may throw %s, at once or later', async (_, thrown) => {
    const atOnce = handlerOf(() => {
      throw thrown;
    });
    expect(await endOf(atOnce)).toEqual({ kind: 'threw', error: thrown });
    expect(await endOf(handlerOf(() => Promise.reject(thrown)))).toEqual({ kind: 'threw', error: thrown });
  });

  test('in a schema of its own fails as a handler does', async () => {
    const output = z.unknown().transform(() => {
      throw new Error('broken schema');
    });
    expect(await endOf(handlerOf(() => 1, { output }))).toMatchObject({
      kind: 'threw',
      error: { message: 'broken schema' },
    });
  });
});

describe('a handler that is aborted', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('before it begins does not begin', async () => {
    let ran = false;
    const attempt = control();
    attempt.abort('cancelled');
    const end = await endOf(
      handlerOf(() => (ran = true)),
      {},
      attempt,
    );
    expect(codeOf(end)).toBeUndefined();
    expect(end).toMatchObject({ kind: 'threw', error: { abortCause: 'cancelled' } });
    expect(ran).toBe(false);
  });

  test('may end within the grace: its result is told', async () => {
    const attempt = control();
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const end = endOf(
      handlerOf(() => promise),
      {},
      attempt,
    );
    attempt.abort('drain');
    await jest.advanceTimersByTimeAsync(ABORT_GRACE_MS - 1);
    resolve('just in time');
    expect(await end).toMatchObject({ kind: 'returned', output: 'just in time' });
    expect(jest.getTimerCount()).toBe(0);
  });

  test('and never ends is abandoned after the grace; what it brings later disturbs nobody', async () => {
    const attempt = control();
    const { promise, reject } = Promise.withResolvers<unknown>();
    const end = endOf(
      handlerOf(() => promise),
      {},
      attempt,
    );
    attempt.abort('attempt-time');
    await jest.advanceTimersByTimeAsync(ABORT_GRACE_MS);
    expect(await end).toEqual({ kind: 'abandoned' });
    reject(new Error('far too late'));
    await jest.advanceTimersByTimeAsync(1000);
  });

  test('by a call it makes itself is treated like any other', async () => {
    const attempt = control();
    const end = endOf(
      handlerOf(() => {
        attempt.abort('superseded');
        return new Promise(() => undefined);
      }),
      {},
      attempt,
    );
    await jest.advanceTimersByTimeAsync(ABORT_GRACE_MS);
    expect(await end).toEqual({ kind: 'abandoned' });
  });
});
