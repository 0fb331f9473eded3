import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ECHO, startTestServer, type TestServer } from './testing/start-test-server.ts';

/** Every refusal is a typed problem document, comes fast, and leaves nothing behind. */
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await server.send('POST', '/v1/workflows', { definition: ECHO });
});
afterAll(async () => {
  await server.app.close();
});

async function refuses(body: unknown, headers: object = {}, url = '/v1/runs') {
  const before = server.api.created.length;
  const answer = await server.send('POST', url, body, headers);
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(answer.problem).toMatchObject({
    type: `urn:flotilla:error:${answer.problem.code}`,
    status: answer.status,
    title: expect.any(String),
    detail: expect.any(String),
    instance: url,
  });
  expect(server.api.created.length).toBe(before);
  return answer;
}

const step = (id: string, more: object = {}) => ({ [id]: { kind: 'task', use: 'flotilla.echo', ...more } });
const start = (steps: object, more: object = {}) => ({ definition: { flotilla: 1, name: 'w', steps, ...more } });

describe('the body', () => {
  test.each([
    ['not JSON', '{"workflow": nope}', 'MALFORMED_JSON'],
    ['cut off', '{"workflow": "echo"', 'MALFORMED_JSON'],
    ['two documents', '{} {}', 'MALFORMED_JSON'],
    ['not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'MALFORMED_JSON'],
    ['a byte order mark', '\uFEFF{"workflow":"echo"}', 'MALFORMED_JSON'],
    ['NaN', '{"workflow":"echo","input":NaN}', 'MALFORMED_JSON'],
    ['Infinity', '{"workflow":"echo","input":-Infinity}', 'MALFORMED_JSON'],
    ['5,000 levels deep', `{"workflow":"echo","input":${'['.repeat(5000)}${']'.repeat(5000)}}`, 'JSON_TOO_DEEP'],
    ['5,000 objects deep', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`, 'JSON_TOO_DEEP'],
    ['a __proto__ key', '{"workflow":"echo","input":{"__proto__":{"admin":true}}}', 'JSON_FORBIDDEN_KEY'],
    ['an escaped __proto__ key', '{"workflow":"echo","input":{"__\\u0070roto__":1}}', 'JSON_FORBIDDEN_KEY'],
    ['a key given twice', '{"workflow":"echo","workflow":"other"}', 'VALIDATION_FAILED'],
    ['a number beyond a double', '{"workflow":"echo","input":{"n":1e400}}', 'VALIDATION_FAILED'],
    ['an integer that would change', '{"workflow":"echo","input":[9007199254740993]}', 'VALIDATION_FAILED'],
    ['a lone surrogate', '{"workflow":"echo","input":"\\ud800"}', 'VALIDATION_FAILED'],
    ['a list', '[]', 'VALIDATION_FAILED'],
    ['null', 'null', 'VALIDATION_FAILED'],
    ['a text', '"echo"', 'VALIDATION_FAILED'],
    ['empty', '', 'VALIDATION_FAILED'],
  ])('that is %s is refused', async (_what, body, code) => {
    const { problem, status } = await refuses(body);
    expect(problem.code).toBe(code);
    expect(status).toBeLessThan(500);
  });

  test('with more than 25,000 keys in an object is refused', async () => {
    const keys = Array.from({ length: 25_001 }, (_, index) => `"k${index}":1`).join(',');
    const { status, problem } = await refuses(`{"workflow":"echo","input":{${keys}}}`);
    expect([status, problem.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  test('of 10 MB is refused without being parsed', async () => {
    const { status, problem } = await refuses(JSON.stringify({ workflow: 'echo', input: 'x'.repeat(10_000_000) }));
    expect([status, problem.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  test('with an input above the limit is refused, although the body is not', async () => {
    const { status, problem } = await refuses({ workflow: 'echo', input: 'x'.repeat(300_000) });
    expect([status, problem.code, problem.problems?.[0]?.path]).toEqual([413, 'PAYLOAD_TOO_LARGE', '/input']);
  });

  test.each(['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'nonsense'])(
    'declared as %s is refused',
    async (type) => {
      const { status, problem } = await refuses('{"workflow":"echo"}', { 'content-type': type });
      expect([status, problem.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    },
  );

  test('that is compressed is refused: nothing is inflated', async () => {
    const { status, problem } = await refuses(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), {
      'content-encoding': 'gzip',
    });
    expect(status).toBe(415);
    expect(problem.code).toBe('UNSUPPORTED_MEDIA_TYPE');
  });

  test('does not show in the message of a refusal', async () => {
    const { text } = await refuses('{"password":"hunter2" "oops"}');
    expect(text).not.toContain('hunter2');
  });
});

describe('a start', () => {
  test.each<[string, object, string[]]>([
    ['without workflow and definition', {}, ['MISSING_FIELD /workflow']],
    ['with both', { workflow: 'echo', definition: ECHO }, ['ILLEGAL_VALUE /definition']],
    [
      'with wrong types everywhere',
      { workflow: 5, tags: 'x', durability: 'forever', runId: 7, idempotencyKey: '' },
      [
        'WRONG_TYPE /workflow',
        'ILLEGAL_VALUE /idempotencyKey',
        'WRONG_TYPE /runId',
        'WRONG_TYPE /tags',
        'ILLEGAL_VALUE /durability',
      ],
    ],
    [
      'with unknown fields',
      { workflow: 'echo', colour: 1, 'a/b~': 2 },
      ['UNKNOWN_FIELD /colour', 'UNKNOWN_FIELD /a~1b~0'],
    ],
    ['with a list as definition', { definition: [] }, ['WRONG_TYPE /definition']],
    ['with too many tags', { workflow: 'echo', tags: Array.from({ length: 21 }, () => 't') }, ['ILLEGAL_VALUE /tags']],
    [
      'with a key that is too long',
      { workflow: 'echo', idempotencyKey: 'k'.repeat(257) },
      ['ILLEGAL_VALUE /idempotencyKey'],
    ],
  ])('%s is refused with all problems at once', async (_what, body, expected) => {
    const { status, problem } = await refuses(body);
    expect([status, problem.code]).toEqual([400, 'VALIDATION_FAILED']);
    expect(problem.problems?.map(({ code, path }) => `${code} ${path}`)).toEqual(expected);
  });

  test.each([
    ['__proto__', 400],
    ['constructor', 400],
    ['toString', 400],
    ['hasOwnProperty', 400],
    ['', 400],
    ['a:b', 400],
    ['{x}', 400],
    ['*', 400],
    ['?', 400],
    ['\r\n', 400],
    ['../../etc/passwd', 400],
    ['a\u0000b', 400],
    ['\u202Eabc', 400],
    ['é', 400],
    ['🚀', 400],
    ['-leading', 400],
    ['x'.repeat(129), 400],
    ['x'.repeat(1_000_000), 400],
  ])('with the run id %j is refused', async (runId, expected) => {
    const { status, problem } = await refuses({ workflow: 'echo', runId });
    expect([status, problem.code, problem.problems?.[0]?.path]).toEqual([expected, 'VALIDATION_FAILED', '/runId']);
    const tagged = await refuses({ workflow: 'echo', tags: [runId] });
    expect(tagged.problem.problems?.[0]).toMatchObject({ code: 'ILLEGAL_ID', path: '/tags/0' });
  });

  test.each(['active', 'completed', '007', 'meta', 'A.b_c-9'])('with the run id %j is accepted', async (runId) => {
    expect((await server.send('POST', '/v1/runs', { workflow: 'echo', runId })).status).toBe(201);
  });

  test('of an unknown workflow is refused', async () => {
    const { status, problem } = await refuses({ workflow: 'nope' });
    expect([status, problem.code]).toEqual([404, 'WORKFLOW_NOT_FOUND']);
  });
});

describe('a definition', () => {
  const fanIn = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => Object.entries(step(`s${index}`))[0]!));
  const chain = (length: number) =>
    Object.fromEntries(
      Array.from(
        { length },
        (_, index) => Object.entries(step(`s${index}`, index === 0 ? {} : { needs: [`s${index - 1}`] }))[0]!,
      ),
    );

  test.each<[string, object, string]>([
    ['a cycle', start({ ...step('a', { needs: ['b'] }), ...step('b', { needs: ['a'] }) }), 'CYCLE'],
    ['a step that needs itself', start(step('a', { needs: ['a'] })), 'CYCLE'],
    ['a dangling need', start(step('a', { needs: ['ghost'] })), 'UNKNOWN_STEP'],
    ['no steps', start({}), 'NO_STEPS'],
    ['a chain of 10,000', start(chain(10_000)), 'DEPTH_LIMIT'],
    ['an illegal step id', start(step('a:b')), 'ILLEGAL_ID'],
    ['a 1 MB step id', start(step('x'.repeat(1_000_000))), 'ILLEGAL_ID'],
    ['a negative delay', start({ a: { kind: 'delay', forMs: -1 } }), 'ILLEGAL_VALUE'],
    ['a fractional delay', start({ a: { kind: 'delay', forMs: 1.5 } }), 'ILLEGAL_VALUE'],
    ['a delay of 1e300 ms', start({ a: { kind: 'delay', forMs: 1e300 } }), 'ILLEGAL_VALUE'],
    ['0 attempts', start(step('a', { retry: { maxAttempts: 0 } })), 'ILLEGAL_VALUE'],
    ['1e9 attempts', start(step('a', { retry: { maxAttempts: 1e9 } })), 'ILLEGAL_VALUE'],
    ['an unknown field', start(step('a', { colour: 'red' })), 'UNKNOWN_FIELD'],
    ['an unknown kind', start({ a: { kind: 'teleport' } }), 'ILLEGAL_VALUE'],
    ['an input schema that is none', start(step('a'), { input: { type: 'nope' } }), 'INPUT_SCHEMA_INVALID'],
    ['a pattern that RE2 does not have', start(step('a'), { input: { pattern: '(?=x)' } }), 'INPUT_SCHEMA_INVALID'],
  ])('with %s is refused', async (_what, body, code) => {
    const { status, problem } = await refuses(body);
    expect([status, problem.code]).toEqual([422, 'DEFINITION_INVALID']);
    expect(problem.problems?.map((each) => each.code)).toContain(code);
    expect(JSON.stringify(problem).length).toBeLessThan(20_000);
  });

  test('with a step given twice is refused with both positions', async () => {
    const text =
      '{"definition":{"flotilla":1,"name":"w","steps":{\n  "a":{"kind":"delay","forMs":1},\n  "a":{"kind":"delay","forMs":2}}}}';
    const { status, problem } = await refuses(text);
    expect([status, problem.code]).toEqual([422, 'DEFINITION_INVALID']);
    expect(problem.problems).toEqual([
      {
        code: 'DUPLICATE_KEY',
        path: '/steps/a',
        message: 'the key "a" stands at line 2 column 3 and again at line 3 column 3',
      },
    ]);
  });

  test('with several problems tells all of them', async () => {
    const body = start({
      ...step('a', { needs: ['ghost'] }),
      ...step('b', { needs: ['b'] }),
      c: { kind: 'delay', forMs: 'x' },
    });
    const { problem } = await refuses(body);
    expect(new Set(problem.problems?.map(({ path }) => path.split('/')[2]))).toEqual(new Set(['a', 'b', 'c']));
  });

  test('with 10,000 steps that one step needs is accepted', async () => {
    const steps = { ...fanIn, ...step('last', { needs: Object.keys(fanIn) }) };
    const { status } = await server.send('POST', '/v1/runs', start(steps));
    expect(status).toBe(201);
  });

  test.each(['/v1/workflows', '/v1/validate'])('that is not one is answered by %s too', async (url) => {
    const { status, body } = await server.send('POST', url, { definition: { flotilla: 1, name: 'w', steps: {} } });
    if (url === '/v1/workflows') expect([status, body['code']]).toEqual([422, 'DEFINITION_INVALID']);
    else expect([status, body['ok']]).toEqual([200, false]);
    expect(body['problems']).toMatchObject([{ code: 'NO_STEPS', path: '/steps' }]);
  });
});

describe('the loop', () => {
  test.each<[string, string]>([
    ['5,000-deep JSON', `{"input":${'['.repeat(5000)}${']'.repeat(5000)}}`],
    ['a text of 8 MB', JSON.stringify({ workflow: 'echo', input: 'x'.repeat(8_000_000) })],
    ['8 MB of backslashes', `{"workflow":"echo","input":"${'\\\\'.repeat(2_000_000)}"}`],
    ['a million keys', `{"input":{${Array.from({ length: 600_000 }, (_, i) => `"${i.toString(36)}":1`).join(',')}}}`],
  ])('is not held for long by %s', async (_what, body) => {
    const usedMs: number[] = [];
    for (let times = 0; times < 5; times += 1) {
      const before = process.cpuUsage();
      await refuses(body);
      const { user, system } = process.cpuUsage(before);
      usedMs.push((user + system) / 1000);
    }
    // 50 ms is the promise of the reader alone; this has the copying of the test beside it. Processor time: others may use
    // the machine, too.
    expect(Math.min(...usedMs)).toBeLessThan(150);
  });
});
