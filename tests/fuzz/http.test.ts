import { gzipSync } from 'node:zlib';
import { ERROR_CODES, type ProblemDocument } from '@flotilla/contracts';
import { eventually, type Fleet, startFleet, testNamespace, within } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { checkProperty } from '../model/seeded-property.ts';
import { postHead, type RawAnswer, RawConnection, sendBytes } from './raw-requests.ts';

/** A scheduler process answers whatever comes with a typed refusal or a correct run, and answers others meanwhile. */

let fleet: Fleet;
/** Runs that were accepted: no more than these may be stored. */
const accepted = new Set<string>();
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url) });
}, 90_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  expect(ends).toEqual([]);
});

const SUBMISSION = {
  definition: {
    flotilla: 1,
    name: 'fuzz',
    steps: {
      a: { kind: 'task', use: 'flotilla.echo', input: { n: 1, text: 'ü🚀' } },
      b: { kind: 'task', use: 'flotilla.echo', input: '${{ steps.a.output.n }}', needs: ['a'] },
    },
  },
  input: { deep: [[{ n: 1.5 }], null, true], text: 'some text' },
  idempotencyKey: 'fuzz',
  tags: ['fuzz'],
};

/** The server is not held: what everybody may ask is answered while the fuzzed request is. */
async function answersHealth(): Promise<void> {
  const answer = await within(fetch(`${fleet.url}/healthz`), 10_000, 'the health of the scheduler');
  expect(answer.status).toBe(200);
}

function expectTyped({ status, contentType, body }: RawAnswer): void {
  if (status < 400) return;
  const problem = JSON.parse(body) as ProblemDocument;
  const { code, detail } = problem;
  expect({ status: status < 500, code, detail }).toEqual({ status: true, code, detail: expect.any(String) });
  expect(Object.keys(ERROR_CODES)).toContain(code);
  expect([contentType, problem.status]).toEqual(['application/problem+json; charset=utf-8', status]);
  // A refusal repeats no megabyte.
  expect(body.length).toBeLessThan(200_000);
}

async function post(path: string, bytes: Uint8Array): Promise<RawAnswer> {
  const [answer] = await Promise.all([sendBytes(fleet.url, 'POST', path, bytes), answersHealth()]);
  expectTyped(answer);
  if (path === '/v1/runs' && answer.status < 300) accepted.add((JSON.parse(answer.body) as { runId: string }).runId);
  return answer;
}

type Cut = { at: number; length: number; insert: Uint8Array };
const cut: fc.Arbitrary<Cut> = fc.record({
  at: fc.nat(2000),
  length: fc.oneof({ weight: 3, arbitrary: fc.nat(3) }, fc.nat(200)),
  insert: fc.oneof(
    fc.uint8Array({ maxLength: 4 }),
    fc
      .constantFrom(
        '"',
        '\\',
        '\\u0000',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '1e400',
        '-0',
        '9007199254740993',
        'null',
        '\\ud800',
      )
      .map((text) => Buffer.from(text)),
    fc
      .constantFrom('"__proto__":{},', '"a":1,"a":2,', '[[[[[[[[', '0x1F', 'NaN', '/*c*/', '\uFEFF', '﻿')
      .map((text) => Buffer.from(text)),
  ),
});

function mutate(text: string, cuts: readonly Cut[]): Uint8Array {
  let bytes: Buffer = Buffer.from(text);
  for (const { at, length, insert } of cuts) {
    const from = at % (bytes.length + 1);
    bytes = Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + length)]);
  }
  return bytes;
}

async function storedRunIds(): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await fleet.api.get<{ runs: { runId: string }[]; cursor?: string }>(
      `/v1/runs?limit=500${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    ids.push(...page.runs.map(({ runId }) => runId));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return ids;
}

describe('bytes of a request', () => {
  test('that were a good submission until some changed are refused, or make one run', async () => {
    const example = fc.record({ cuts: fc.array(cut, { minLength: 1, maxLength: 3 }), key: fc.uuid() });
    const text = (key: string) => JSON.stringify({ ...SUBMISSION, idempotencyKey: key });
    await checkProperty(example, async ({ cuts, key }) => void (await post('/v1/runs', mutate(text(key), cuts))), {
      numRuns: 500,
      timeLimitMs: 5000,
    });
    expect((await post('/v1/runs', Buffer.from(text('whole')))).status).toBe(201);
  }, 90_000);

  test('of any value in any field are refused, or mean what they say', async () => {
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom<unknown>(
        '',
        '*',
        'a:b',
        '{x}',
        '\r\n',
        '\u0000',
        '../x',
        'constructor',
        'e\u0301',
        -0,
        2 ** 53,
        1e308,
        -1,
        0.1,
      ),
    );
    const field = fc.constantFrom(
      'workflow',
      'definition',
      'input',
      'idempotencyKey',
      'runId',
      'tags',
      'durability',
      'reason',
      'waitMs',
      'runs',
    );
    const path = fc.constantFrom(
      '/v1/runs',
      '/v1/runs/batch',
      '/v1/workflows',
      '/v1/validate',
      '/v1/runs/nobody/cancel',
      '/v1/runs/nobody/pause',
    );
    const body = fc.oneof(
      fc.dictionary(field, value, { maxKeys: 3 }),
      fc.dictionary(field, value, { maxKeys: 2 }).map((more) => ({ ...SUBMISSION, ...more })),
      fc.array(fc.dictionary(field, value, { maxKeys: 3 }), { maxLength: 4 }).map((runs) => ({ runs })),
      value,
    );
    await checkProperty(
      fc.record({ path, body }),
      async ({ path: to, body: given }) => {
        const answer = await post(to, Buffer.from(JSON.stringify(given)));
        if (to !== '/v1/runs/batch' || answer.status !== 200) return;
        for (const each of (JSON.parse(answer.body) as { runs: { runId?: string; error?: ProblemDocument }[] }).runs) {
          if (each.runId === undefined) expect(each.error?.status).toBeLessThan(500);
          else accepted.add(each.runId);
        }
      },
      { numRuns: 400, timeLimitMs: 2500 },
    );
  }, 90_000);

  test('of any path and query are answered', async () => {
    const text = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.constantFrom(
        '..',
        '\u0000',
        '🚀',
        '\ud800',
        '%00',
        '%',
        '%2e%2e%2f',
        '__proto__',
        '0',
        '-1',
        '1e9',
        'NaN',
        'x'.repeat(600),
      ),
    );
    const route = fc.constantFrom('', '/steps', '/history', '/checkpoints', '/events', '/cancel');
    const query = fc.dictionary(fc.constantFrom('limit', 'cursor', 'after', 'status', 'tag', 'workflow', 'x'), text, {
      maxKeys: 3,
    });
    await checkProperty(
      fc.record({ id: text, route, query, encoded: fc.boolean(), list: fc.boolean() }),
      async ({ id, route: behind, query: given, encoded, list }) => {
        const well = (part: string) => encodeURIComponent(part.toWellFormed());
        const raw = id.replace(/[^\x21-\x7e]|[?#\\]/g, '');
        const search = Object.entries(given)
          .map(([name, part]) => `${name}=${well(part)}`)
          .join('&');
        const path = list ? '/v1/runs' : `/v1/runs/${encoded ? well(id) : raw}${behind}`;
        expectTyped(await sendBytes(fleet.url, 'GET', `${path}?${search}`));
      },
      { numRuns: 200, timeLimitMs: 2000 },
    );
  }, 90_000);

  test('have left the runs that were accepted and no others, and those end', async () => {
    const stored = await storedRunIds();
    expect(stored.filter((runId) => !accepted.has(runId))).toEqual([]);
    expect(new Set(stored)).toEqual(accepted);
    for (const runId of stored) await fleet.api.post(`/v1/runs/${runId}/cancel`, {});
    await fleet.api.waitForEnd(stored, { timeoutMs: 20_000 });
  }, 60_000);
});

describe('a body that does not end well', () => {
  const chunk = Buffer.from(`10000\r\n${' '.repeat(0x10000)}\r\n`);

  test('of chunks without end is cut off', async () => {
    const connection = new RawConnection(fleet.url);
    await connection.write(postHead('/v1/runs', 'transfer-encoding: chunked'));
    while (connection.isOpen && connection.sentBytes < 200_000_000 && connection.received === '') {
      await Promise.all([connection.write(chunk), answersHealth()]);
    }
    await eventually(() => connection.received !== '' || !connection.isOpen);
    expect(connection.sentBytes).toBeLessThan(100_000_000);
    if (connection.received !== '') expect(connection.received).toMatch(/^HTTP\/1\.1 413 /);
    connection.end();
    await answersHealth();
  }, 60_000);

  test('of fifty that arrive byte by byte keeps nobody waiting', async () => {
    const slow = Array.from({ length: 50 }, () => new RawConnection(fleet.url));
    await Promise.all(slow.map((each) => each.write(postHead('/v1/runs', 'content-length: 1000'))));
    for (let round = 0; round < 10; round += 1) {
      await Promise.all([...slow.map((each) => each.write('{')), answersHealth()]);
    }
    const key = `beside-slow-${accepted.size}`;
    const answer = await post('/v1/runs', Buffer.from(JSON.stringify({ ...SUBMISSION, idempotencyKey: key })));
    expect(answer.status).toBe(201);
    for (const each of slow) each.end();
  }, 60_000);

  test.each<[string, () => Uint8Array, readonly string[], number]>([
    ['inflates to 30 MB', () => gzipSync(Buffer.alloc(30_000_000, ' ')), ['content-encoding: gzip'], 415],
    ['is 10 MB of text', () => Buffer.from(`{"input":"${'x'.repeat(10_000_000)}"}`), [], 413],
    [
      'has a million keys',
      () => Buffer.from(`{"input":{${Array.from({ length: 600_000 }, (_, i) => `"${i}":1`).join()}}}`),
      [],
      413,
    ],
    ['has a million items', () => Buffer.from(`{"workflow":"w","input":[${'1,'.repeat(1_000_000)}1]}`), [], 413],
    ['is 8 MB of opening brackets', () => Buffer.from('['.repeat(8_000_000)), [], 400],
    ['is 8 MB of blanks', () => Buffer.from(' '.repeat(8_000_000)), [], 400],
  ])(
    'that %s is refused while others are served',
    async (_what, make, headers, status) => {
      const bytes = make();
      const connection = new RawConnection(fleet.url);
      const served = Array.from({ length: 5 }, () => answersHealth());
      await connection.write(postHead('/v1/runs', `content-length: ${bytes.length}`, ...headers));
      await connection.write(bytes);
      await Promise.all(served);
      await eventually(() => connection.received.includes('problem+json') || !connection.isOpen);
      expect(Number(/^HTTP\/1\.1 (\d+)/.exec(connection.received)?.[1])).toBe(status);
      expect(connection.received).toContain('application/problem+json');
      connection.end();
    },
    60_000,
  );
});
