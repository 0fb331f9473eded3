import { describe, expect, test } from '@jest/globals';
import { createLogger, type LoggerOptions } from './create-logger.ts';
import { prettyLine } from './pretty-lines.ts';

const JWT = `eyJhbGciOiJIUzI1NiJ9.eyJ${'Zq9'}IjoxfQ.${'Zq9'}_-x`;

const capture = (
  options: Partial<LoggerOptions> = {},
): { logger: ReturnType<typeof createLogger>; text: () => string } => {
  let text = '';
  const destination = {
    write: (line: string): void => {
      text += line;
    },
  };
  return { logger: createLogger({ name: 'worker', ...options, destination }), text: () => text };
};

describe('createLogger', () => {
  test('a line is one JSON object', () => {
    const { logger, text } = capture();
    logger.info({ event: 'process.started', port: 7070 }, 'listening on %s', 'http://127.0.0.1:7070');
    expect(JSON.parse(text())).toMatchObject({
      level: 30,
      name: 'worker',
      event: 'process.started',
      port: 7070,
      msg: 'listening on http://127.0.0.1:7070',
    });
    expect(text().split('\n')).toHaveLength(2);
  });

  test('levels below the set one are not written', () => {
    const { logger, text } = capture({ level: 'warn' });
    logger.info('quiet');
    expect(text()).toBe('');
  });

  test.each([
    ['a password', { redis: { password: 'Zq9' } }],
    ['API keys', { config: { FLOTILLA_API_KEYS: 'Zq9', apiKey: 'Zq9' } }],
    ['headers', { headers: { Authorization: 'Bearer Zq9', cookie: 'Zq9', 'x-api-key': 'Zq9' } }],
    ['tokens', { token: 'Zq9', accessToken: 'Zq9', session_token: 'Zq9' }],
    ['other tokens', { apiToken: 'Zq9', jwt: 'Zq9', idtoken: 'Zq9', deviceToken2: 'Zq9', BOT_TOKEN: 'Zq9' }],
    ['other headers', { 'x-auth': 'Zq9', 'X-Csrf-Token': 'Zq9', 'x-functions-key': 'Zq9', 'Set-Cookie': 'Zq9' }],
    ['other keys', { signingKey: 'Zq9', AWS_SECRET_ACCESS_KEY: 'Zq9', stripeApiKey: 'Zq9', sessionId: 'Zq9' }],
    ['a query', { url: 'https://h/p?a=1&api_key=Zq9&token=Zq9&X-Amz-Signature=Zq9#x' }],
    ['headers in text', { text: 'sent Authorization: Bearer Zq9 and x-auth: Zq9Zq9, cookie: sid=Zq9; Basic Zq9Zq9=' }],
    ['JSON in text', { text: '{"apiToken":"Zq9","a":{"client_secret": "Zq9"}} and {\\"jwt\\":\\"Zq9\\"}' }],
    ['a printed object', { text: "{ apiKey: 'Zq9', 'x-auth': 'Zq9', accessToken: 'Zq9' }" }],
    ['a JSON web token', { text: `got ${JWT}` }],
    ['an error that quotes a URL', { error: new Error('GET https://h/?token=Zq9: 401') }],
    ['a URL in a field', { url: 'redis://bob:Zq9@host:1/0 and redis://:Zq9@h' }],
    ['a URL in a list', { urls: ['rediss+sentinel://:Zq9@a,b/main'] }],
    ['payloads', { input: { a: 'Zq9' }, output: 'Zq9', body: ['Zq9'], run: { payload: { x: 'Zq9' } } }],
    ['bytes', { data: Buffer.from('Zq9') }],
    ['an error of a client', { error: Object.assign(new Error('x'), { command: { args: ['Zq9'] } }) }],
    ['an error with a URL', { error: new Error('no redis://u:Zq9@h', { cause: new Error('redis://u:Zq9@h') }) }],
    ['err', { err: Object.assign(new Error('x'), { config: { auth: 'Zq9' } }) }],
  ])('%s does not reach the log', (_what, fields) => {
    const { logger, text } = capture();
    logger.error(fields, 'failed');
    logger.child(fields).error('failed');
    expect(text()).not.toContain('Zq9');
    expect(text().split('\n')).toHaveLength(3);
  });

  test('credentials in a message, an argument or a bare error do not reach the log', () => {
    const { logger, text } = capture();
    logger.info('cannot connect to redis://u:Zq9@h');
    logger.info('cannot connect to %s', 'redis://u:Zq9@h');
    logger.error(new Error('cannot connect to redis://u:Zq9@h'));
    logger.info('cannot connect with %o', { password: 'Zq9' });
    expect(text()).not.toContain('Zq9');
    expect(text().match(/cannot connect/g)?.length).toBeGreaterThanOrEqual(4);
  });

  test('fences, counts and step ids stay readable', () => {
    const { logger, text } = capture();
    logger.info({ fence: 7, fencingToken: 8, items: 3, stepId: 'notify[3]', keys: ['a'] }, 'x');
    expect(JSON.parse(text())).toMatchObject({ fence: 7, fencingToken: 8, items: 3, stepId: 'notify[3]', keys: ['a'] });
  });

  test.each([
    'steps.pay.input.token: expected a string',
    'password: the field is missing',
    'the bearer of this message, Basic authentication, a token and keys=3',
    'idempotencyKey=order-7 stepKey=3 author=bob tokens: 12',
    'run r1: step s1 failed with code=ECONNREFUSED',
    'http://127.0.0.1:7070/v1/runs?workflow=order&limit=5',
  ])('the message %j is left as it is', (message) => {
    const { logger, text } = capture();
    logger.info(message);
    expect(JSON.parse(text()).msg).toBe(message);
  });

  test('text that is made to be slow to search costs a moment', () => {
    const { logger } = capture();
    const startedAt = process.cpuUsage();
    for (const piece of ['a=', 'eyJ', '"a":"', 'a-', 'bearer ', '://', "\\'a\\': ", 'a:', '@/']) {
      logger.info(piece.repeat(500_000));
    }
    expect(process.cpuUsage(startedAt).user / 1000).toBeLessThan(2000);
  });

  test('errors keep type, code, stack and causes', () => {
    const { logger, text } = capture();
    const cause = Object.assign(new TypeError('inner'), { code: 'ECONNREFUSED' });
    logger.error({ error: Object.assign(new Error('outer', { cause }), { code: 'REDIS_UNAVAILABLE' }) }, 'failed');
    expect(JSON.parse(text()).error).toMatchObject({
      type: 'Error',
      code: 'REDIS_UNAVAILABLE',
      message: 'outer',
      stack: expect.stringContaining('create-logger.test'),
      cause: { type: 'TypeError', code: 'ECONNREFUSED', message: 'inner' },
    });
  });

  test('cycles, depth, size and hostile names cannot break a line', () => {
    const { logger, text } = capture();
    const cycle: Record<string, unknown> = { big: 1n, text: 'x'.repeat(100_000), list: Array(5000).fill(1) };
    cycle['self'] = cycle;
    let deep: Record<string, unknown> = {};
    for (let level = 0; level < 5000; level += 1) deep = { deep };
    logger.info({ cycle, deep, hostile: JSON.parse('{"__proto__":{"polluted":1}}') }, 'x');
    expect(JSON.parse(text()).cycle).toMatchObject({ big: '1', self: '[circular]' });
    expect(text().length).toBeLessThan(20_000);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('of a request only method and path are told, of other instances the class', () => {
    class Request {
      method = 'GET';
      url = '/v1/runs?key=Zq9';
      headers = { authorization: 'Zq9' };
    }
    const { logger, text } = capture();
    logger.info({ req: new Request(), set: new Set([1]), other: new Request() }, 'x');
    expect(JSON.parse(text())).toMatchObject({
      req: { method: 'GET', url: '/v1/runs' },
      set: '[Set]',
      other: '[Request]',
    });
    expect(text()).not.toContain('Zq9');
  });

  test('a line with millions of values is cut', () => {
    const wide = (depth: number): unknown => (depth === 0 ? 1 : Array(100).fill(wide(depth - 1)));
    const { logger, text } = capture();
    logger.info({ wide: wide(5) }, 'x');
    expect(text().length).toBeLessThan(50_000);
  });

  test('pretty lines are for people', () => {
    const { logger, text } = capture({ pretty: true });
    logger.warn({ attempt: 2, error: new Error('boom') }, 'step failed');
    expect(text()).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}worker: step failed attempt=2\n {4}Error: boom\n {4} +at /);
    expect(prettyLine('not json', true)).toBe('not json');
    expect(prettyLine('{"level":50,"time":0,"name":"n","msg":"m"}', true)).toContain('\u001b[31mERROR\u001b[0m n: m\n');
  });
});
