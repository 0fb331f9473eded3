import { ERROR_TYPES, FlotillaError, parseHttpDate } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { classifyError } from './classify-error.ts';

const withFields = (fields: object, message = 'it broke') => Object.assign(new Error(message), fields);
const typeOf = (error: unknown) => classifyError(error).type;

describe('ORIGIN 4, classifier: what the legacy package got wrong', () => {
  test.each(['author not found', 'Invalid connection string', 'rate limit', 'timeout of 5 ms', 'permission denied'])(
    'the message %p is not searched for words',
    (message) => {
      expect(classifyError(new Error(message))).toEqual({ type: 'retryable', code: 'STEP_FAILED', message });
    },
  );

  test.each([
    ['an AbortError', Object.assign(new Error('Operation aborted'), { name: 'AbortError' })],
    ['the reason of an aborted signal', AbortSignal.abort().reason],
    ['an error with the code ABORT_ERR', withFields({ code: 'ABORT_ERR' })],
    ['a cancelled attempt', new FlotillaError('CANCELLED', 'the run is being cancelled')],
    ['an AbortError that says it is retryable', withFields({ name: 'AbortError', retryable: true })],
  ])('%s is a cancellation and never retried when the own signal of the attempt has fired', (_what, error) => {
    for (const thrown of [error, new Error('it failed', { cause: error })]) {
      expect(classifyError(thrown, { isOwnAbort: true }).type).toBe('cancelled');
    }
  });

  test.each([
    ['an AbortError', new DOMException('stop', 'AbortError'), 'timeout', 'ABORTED'],
    ['an AbortError of Node', withFields({ name: 'AbortError', code: 'ABORT_ERR' }), 'timeout', 'ABORT_ERR'],
    ['an aborted request of undici', withFields({ code: 'UND_ERR_ABORTED' }), 'timeout', 'UND_ERR_ABORTED'],
    ['an aborted request of axios', withFields({ code: 'ERR_CANCELED' }), 'timeout', 'ERR_CANCELED'],
    ['a call that another side cancelled', withFields({ code: 'CANCELLED' }), 'retryable', 'CANCELLED'],
  ])('%s of which the own signal knows nothing may be tried again', (_what, error, type, code) => {
    for (const thrown of [error, new Error('it failed', { cause: error })]) {
      expect(classifyError(thrown)).toMatchObject({ type, code });
    }
  });

  test('an AbortError that says it is not to be retried is not', () => {
    expect(typeOf(withFields({ name: 'AbortError', retryable: false }))).toBe('non_retryable');
  });

  test.each([new TypeError('x'), new RangeError('x'), new SyntaxError('x'), new ReferenceError('x')])(
    'the programmer error %p is not retried',
    (error) => {
      expect(typeOf(error)).toBe('non_retryable');
    },
  );

  test.each(['ENOENT', 'ENOTFOUND', 'EACCES', 'EPERM', 'CLEANUP_REFUSED', 'RUN_PRUNED', 'WORKFLOW_VERSION_CONFLICT'])(
    '%s is not retried',
    (code) => {
      expect(classifyError(withFields({ code }))).toMatchObject({ type: 'non_retryable', code });
    },
  );

  test.each([null, undefined, '', 'text', 0, Number.NaN, 1n, true, Symbol('s'), [], {}, () => 1])(
    'throwing %p is classified without an error',
    (thrown) => {
      expect(classifyError(thrown)).toMatchObject({ type: 'retryable', code: 'STEP_FAILED' });
    },
  );
});

describe('classifyError', () => {
  test('takes the type that an error carries, whichever copy of the package made it', () => {
    const typed = (type: unknown, fields: object = {}) =>
      withFields({ [Symbol.for('flotilla.error-type')]: type, ...fields });
    expect(classifyError(typed('rate_limited', { code: 'OURS' }))).toMatchObject({
      type: 'rate_limited',
      code: 'OURS',
    });
    expect(typeOf(typed('non_retryable', { status: 503, retryable: true }))).toBe('non_retryable');
    expect(typeOf(new Error('outer', { cause: typed('resource_exhausted') }))).toBe('resource_exhausted');
    expect(typeOf(typed('nonsense', { status: 503 }))).toBe('retryable');
  });

  test.each([
    ['ECONNRESET', 'retryable'],
    ['ETIMEDOUT', 'retryable'],
    ['EAI_AGAIN', 'retryable'],
    ['EMFILE', 'resource_exhausted'],
    ['ENOSPC', 'resource_exhausted'],
    ['QUOTA_EXCEEDED', 'rate_limited'],
    ['TIMEOUT', 'timeout'],
    ['EXPRESSION_FAILED', 'non_retryable'],
    ['WORKER_LOST', 'crash'],
    ['SOMETHING_ELSE', 'retryable'],
  ])('the code %s is %s', (code, type) => {
    expect(classifyError(withFields({ code }))).toMatchObject({ type, code });
  });

  test.each([
    [400, 'non_retryable'],
    [401, 'non_retryable'],
    [403, 'non_retryable'],
    [404, 'non_retryable'],
    [408, 'timeout'],
    [409, 'non_retryable'],
    [422, 'non_retryable'],
    [425, 'retryable'],
    [429, 'rate_limited'],
    [500, 'retryable'],
    [501, 'non_retryable'],
    [502, 'retryable'],
    [503, 'retryable'],
    [504, 'timeout'],
    [507, 'resource_exhausted'],
    [599, 'retryable'],
  ])('HTTP status %i is %s', (status, type) => {
    expect(classifyError(withFields({ status }))).toMatchObject({ type, code: `HTTP_${status}` });
    expect(typeOf(withFields({ statusCode: status }))).toBe(type);
    expect(typeOf(withFields({ response: { status } }))).toBe(type);
  });

  test("the error's own retryable decides over code and status", () => {
    expect(typeOf(withFields({ code: 'ECONNRESET', retryable: false }))).toBe('non_retryable');
    expect(typeOf(withFields({ code: 'EACCES', retryable: true }))).toBe('retryable');
    expect(typeOf(withFields({ status: 429, retryable: true }))).toBe('rate_limited');
    expect(typeOf(Object.assign(new TypeError('x'), { retryable: true }))).toBe('retryable');
  });

  test('a wrapping error is what its cause is: fetch failed because of ECONNRESET is retried', () => {
    const error = new TypeError('fetch failed', { cause: withFields({ code: 'ECONNRESET' }) });
    expect(classifyError(error)).toMatchObject({ type: 'retryable', code: 'ECONNRESET' });
    expect(typeOf(new Error('outer', { cause: new TypeError('inner') }))).toBe('non_retryable');
    expect(typeOf(new AggregateError([withFields({ code: 'EACCES' })]))).toBe('non_retryable');
  });

  test('causes that go round in a circle, or on for ever, end', () => {
    const error = withFields({});
    error.cause = error;
    expect(typeOf(error)).toBe('retryable');
    const endless = new Proxy(new Error('endless'), {
      get: (target, key) => (key === 'cause' ? new Error('next', { cause: endless }) : Reflect.get(target, key)),
    });
    expect(typeOf(endless)).toBe('retryable');
  });

  test('errors whose properties throw are classified', () => {
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('no');
        },
        getPrototypeOf: () => {
          throw new Error('no');
        },
      },
    );
    expect(classifyError(hostile)).toMatchObject({ type: 'retryable', code: 'STEP_FAILED' });
  });

  test('a failed validation is not retried', () => {
    expect(classifyError(withFields({ name: 'ZodError', issues: [] }))).toMatchObject({
      type: 'non_retryable',
      code: 'VALIDATION_FAILED',
    });
  });

  test('a message is at most 2 KiB of whole characters', () => {
    for (const text of ['a'.repeat(9999), 'ä'.repeat(9999), '😀'.repeat(9999)]) {
      const { message } = classifyError(new Error(text));
      expect(Buffer.byteLength(message)).toBeLessThanOrEqual(2048);
      expect(Buffer.byteLength(message)).toBeGreaterThan(2040);
      expect(message.isWellFormed() && text.startsWith(message)).toBe(true);
    }
    expect(classifyError(new TypeError('x is not a function')).message).toBe('TypeError: x is not a function');
  });

  test.each([
    [{ retryAfterMs: 1500 }, 1500],
    [{ retryAfter: 2 }, 2000],
    [{ retryAfter: '3' }, 3000],
    [{ headers: { 'retry-after': '4' } }, 4000],
    [{ response: { headers: new Headers({ 'Retry-After': '5' }) } }, 5000],
    [{ headers: { 'Retry-After': '6' } }, 6000],
    [{ response: { headers: { 'X-Ratelimit-Reset': '7' } } }, 7000],
    [{ headers: { 'x-ratelimit-remaining': '4', 'x-ratelimit-reset': '7' } }, undefined],
    [{ retryAfter: -1 }, undefined],
    [{ retryAfter: Number.NaN }, undefined],
    [{ retryAfter: 'soon' }, undefined],
    [{ retryAfterMs: 1e300 }, 31_536_000_000],
  ])('%p asks to wait %p ms', (fields, waitMs) => {
    expect(classifyError(withFields(fields)).retryAfterMs).toBe(waitMs);
  });

  test('a Retry-After that is a date needs the present', () => {
    const error = withFields({ retryAfter: 'Sun, 06 Nov 1994 08:49:37 GMT' });
    expect(classifyError(error).retryAfterMs).toBeUndefined();
    expect(classifyError(error, { nowMs: 784_111_777_000 - 2500 }).retryAfterMs).toBe(2500);
    expect(classifyError(error, { nowMs: 784_111_777_000 + 1 }).retryAfterMs).toBe(0);
  });

  test("a user's rule comes first, and one that throws or answers nonsense is passed over", () => {
    const error = withFields({ code: 'EACCES' });
    const rules = [
      () => {
        throw new Error('broken rule');
      },
      () => 'nonsense' as 'timeout',
      () => undefined,
      () => ({ type: 'rate_limited', code: 'OURS', retryAfterMs: 10 }) as const,
    ];
    expect(classifyError(error, { rules })).toMatchObject({ type: 'rate_limited', code: 'OURS', retryAfterMs: 10 });
  });

  test('whatever is thrown gets a type and a bounded message', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
        (thrown) => {
          const { type, code, message } = classifyError(thrown);
          expect(ERROR_TYPES).toContain(type);
          expect(code).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
          expect(Buffer.byteLength(message)).toBeLessThanOrEqual(2048);
        },
      ),
    );
  });
});

test('HTTP dates are read as the platform reads them', () => {
  fc.assert(
    fc.property(fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }), (seconds) => {
      const text = new Date(seconds * 1000).toUTCString();
      expect(parseHttpDate(text)).toBe(seconds * 1000);
    }),
  );
});
