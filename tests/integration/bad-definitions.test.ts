import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProblemDocument, RunStarted } from '@flotilla/contracts';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import {
  eventually,
  type Fleet,
  spawnNode,
  startFleet,
  startStopwatch,
  testNamespace,
  within,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { scanKeys } from '../scan-keys.ts';

let fleet: Fleet;
let redis: RedisConnection;
beforeAll(async () => {
  fleet = await startFleet({ namespace: testNamespace(import.meta.url) });
  redis = connectRedis(fleet.redisUrl, 'commands');
  await untilReady(redis, 60_000);
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await closeConnection(redis);
  await fleet.stop();
  expect(ends).toEqual([]);
});

/**
 * All keys of the deployment's state with the number of their entries. Agents and queue hints come and go by themselves, and
 * the names of reasons that runs have waited for are tidied up some time after the last of them.
 */
async function keyspace(): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for (const key of await scanKeys(redis.client, `{${fleet.namespace}`)) {
    if (/:(?:agents(?::[a-z]+)?|workers|reclaim|lease|durations|waits)$/.test(key)) continue;
    const type = await redis.client.type(key);
    // A hint that has gone since the scan.
    if (type === 'none') continue;
    const length = { hash: 'HLEN', list: 'LLEN', zset: 'ZCARD', set: 'SCARD', stream: 'XLEN', string: 'STRLEN' }[type];
    if (length === undefined) throw new Error(`${key} is a ${type}`);
    sizes[key] = Number(await redis.client.call(length, key));
  }
  return sizes;
}

const echo = (more: object = {}) => ({ kind: 'task', use: 'flotilla.echo', ...more });
const definition = (steps: object, more: object = {}) => ({ flotilla: 1, name: 'bad', steps, ...more });
const many = (count: number, step: (index: number) => object) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, step(index)]));

const BAD: readonly (readonly [string, unknown, number, string])[] = [
  [
    'a cycle beside a dangling need and a wrong number',
    {
      definition: definition({
        a: echo({ needs: ['b'] }),
        b: echo({ needs: ['a'] }),
        c: echo({ needs: ['ghost'] }),
        d: { kind: 'delay', forMs: -5 },
      }),
    },
    422,
    'DEFINITION_INVALID',
  ],
  [
    'a step that stands twice in the text',
    '{"definition":{"flotilla":1,"name":"bad","steps":{"a":{"kind":"delay","forMs":1},"a":{"kind":"delay","forMs":2}}}}',
    422,
    'DEFINITION_INVALID',
  ],
  ['no steps', { definition: definition({}) }, 422, 'DEFINITION_INVALID'],
  [
    'a chain of 10,000',
    { definition: definition(many(10_000, (index) => echo(index === 0 ? {} : { needs: [`s${index - 1}`] }))) },
    422,
    'DEFINITION_INVALID',
  ],
  [
    'illegal ids',
    {
      definition: definition(
        Object.fromEntries(
          ['a:b', '{x}', '../x', 'nul\u0000', '', ' ', 'x'.repeat(129), 'é'].map((id) => [id, echo()]),
        ),
      ),
    },
    422,
    'DEFINITION_INVALID',
  ],
  ['an id of 1 MB', { definition: definition({ ['x'.repeat(1_000_000)]: echo() }) }, 422, 'DEFINITION_INVALID'],
  [
    'the id __proto__',
    '{"definition":{"flotilla":1,"name":"bad","steps":{"__proto__":{"kind":"delay","forMs":1}}}}',
    400,
    'JSON_FORBIDDEN_KEY',
  ],
  [
    'an id with a lone surrogate',
    '{"definition":{"flotilla":1,"name":"bad","steps":{"\\ud800":{"kind":"delay","forMs":1}}}}',
    400,
    'VALIDATION_FAILED',
  ],
  [
    'NaN',
    '{"definition":{"flotilla":1,"name":"bad","steps":{"a":{"kind":"delay","forMs":NaN}}}}',
    400,
    'MALFORMED_JSON',
  ],
  [
    'a number beyond a double',
    '{"definition":{"flotilla":1,"name":"bad","steps":{"a":{"kind":"delay","forMs":1e999}}}}',
    400,
    'VALIDATION_FAILED',
  ],
  [
    'wrong types everywhere',
    { definition: { flotilla: '1', name: 7, steps: [], failFast: 'yes', timeoutMs: '5' } },
    422,
    'DEFINITION_INVALID',
  ],
  [
    '5,000-deep JSON',
    `{"definition":{"flotilla":1,"name":"bad","steps":{"a":{"kind":"task","use":"flotilla.echo","input":${'['.repeat(5000)}${']'.repeat(5000)}}}}}`,
    400,
    'JSON_TOO_DEEP',
  ],
  [
    'a text of 10 MB',
    { definition: definition({ a: echo({ input: 'x'.repeat(10_000_000) }) }) },
    413,
    'PAYLOAD_TOO_LARGE',
  ],
];

describe('a definition that cannot run', () => {
  test.each(BAD)('with %s is refused, and nothing is stored', async (_what, body, status, code) => {
    const before = await keyspace();
    for (const path of ['/v1/runs', '/v1/workflows']) {
      const answer = await fleet.api.request<ProblemDocument>('POST', path, body, { repeat: false });
      expect([answer.status, answer.body.code]).toEqual([status, code]);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
    }
    expect(await keyspace()).toEqual(before);
  });

  test('is told all its problems at once', async () => {
    const problemsOf = async (what: string) => {
      const body = BAD.find(([name]) => name === what)![1];
      const answer = await fleet.api.request<ProblemDocument>('POST', '/v1/runs', body, { repeat: false });
      return answer.body.problems ?? [];
    };
    const graph = await problemsOf('a cycle beside a dangling need and a wrong number');
    expect(new Set(graph.map(({ code }) => code))).toEqual(new Set(['CYCLE', 'UNKNOWN_STEP', 'ILLEGAL_VALUE']));
    expect(graph.find(({ code }) => code === 'CYCLE')?.message).toMatch(/a.*b.*a|b.*a.*b/);
    expect((await problemsOf('illegal ids')).filter(({ code }) => code === 'ILLEGAL_ID')).toHaveLength(8);
    const types = await problemsOf('wrong types everywhere');
    expect(new Set(types.map(({ path }) => path.split('/')[1]))).toEqual(
      new Set(['flotilla', 'name', 'steps', 'failFast', 'timeoutMs']),
    );
    // The message stays readable: it does not repeat a megabyte.
    expect(JSON.stringify(await problemsOf('an id of 1 MB')).length).toBeLessThan(5000);
  });

  test('does not slow the next request down', async () => {
    const machineMs = startStopwatch();
    const { status } = await fleet.api.request('GET', '/v1/runs');
    expect(status).toBe(200);
    expect(machineMs()).toBeLessThan(1000);
  });
});

describe('a definition at the edge', () => {
  test('with a step that needs 10,000 others is accepted', async () => {
    const steps = many(10_000, () => ({ kind: 'delay', forMs: 3_600_000 }));
    const wide = definition({ ...steps, last: echo({ needs: Object.keys(steps) }) });
    const { runId } = await fleet.api.start({ definition: wide, runId: 'wide' });
    await fleet.api.post(`/v1/runs/${runId}/cancel`, {});
    await fleet.api.waitForEnd([runId], { timeoutMs: 20_000 });
  }, 40_000);
});

describe('a handler that no worker has', () => {
  const queuedMs = 2000;
  const lonely = definition({ a: { kind: 'task', use: 'nobody-has-this', timeouts: { queuedMs } } });

  test('is accepted with a warning, waits visibly, and ends by its queuedMs', async () => {
    const { runId, warnings } = await fleet.api.start({ definition: lonely });
    expect(warnings).toMatchObject([{ code: 'HANDLER_NOT_AVAILABLE', path: '/steps/a/use' }]);
    const parked = await eventually(async () => {
      const [step] = await fleet.api.steps(runId);
      return step?.status === 'parked' && step;
    });
    expect(parked).toMatchObject({ status: 'parked', reason: 'no-handler', attempts: 0 });
    await fleet.api.waitForEnd([runId], { timeoutMs: queuedMs + 5000 });
    const { run, events } = await fleet.api.record(runId);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'TIMEOUT', stepId: 'a' } });
    expect(run.endedAt! - run.createdAt).toBeGreaterThanOrEqual(queuedMs);
    expect(events.map(({ type }) => type)).toContain('step-parked');
    expect(events.map(({ type }) => type)).not.toContain('attempt-started');
  }, 20_000);

  test('is refused by validate --strict with exit code 2, and accepted without --strict', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
    try {
      const file = join(folder, 'lonely.json');
      await writeFile(file, JSON.stringify(lonely));
      const validate = async (...options: string[]) => {
        const main = new URL('../../packages/cli/src/main.ts', import.meta.url);
        const cli = await spawnNode(main, ['validate', file, ...options], { env: { FLOTILLA_URL: fleet.url } });
        const { code } = await within(cli.exited, 20_000, 'the CLI to end');
        return { code, stdout: cli.stdout() };
      };
      const [strict, lenient] = await Promise.all([validate('--strict'), validate()]);
      expect(strict.code).toBe(2);
      expect(strict.stdout).toContain('nobody-has-this');
      expect(lenient.code).toBe(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 30_000);
});

describe('a submission', () => {
  const schema = {
    type: 'object',
    required: ['name', 'count'],
    properties: { name: { type: 'string' }, count: { type: 'integer', minimum: 1 } },
    additionalProperties: false,
  };

  test('whose input breaks the schema is refused with a pointer for each problem, and nothing is stored', async () => {
    const before = await keyspace();
    const body = { definition: definition({ a: echo() }, { input: schema }), input: { name: 5, count: 0, more: true } };
    const answer = await fleet.api.request<ProblemDocument>('POST', '/v1/runs', body, { repeat: false });
    expect([answer.status, answer.body.code]).toEqual([422, 'INPUT_INVALID']);
    const paths = answer.body.problems?.map(({ path }) => path) ?? [];
    expect(paths).toEqual(expect.arrayContaining(['/input/name', '/input/count']));
    expect(paths.length).toBeGreaterThanOrEqual(3);
    expect(await keyspace()).toEqual(before);
  });

  test('with a key that another body used is refused, and the first run is not touched', async () => {
    const key = { idempotencyKey: 'the same key' };
    const first = { definition: definition({ a: echo({ input: 1 }) }), ...key };
    const { runId } = await fleet.api.start(first);
    await fleet.api.waitForEnd([runId]);
    // What is stored shows: the refusals above are compared by this.
    expect(Object.keys(await keyspace()).some((key) => key.includes(runId))).toBe(true);
    await expect(fleet.api.start(first)).resolves.toMatchObject({
      runId,
      deduplicated: true,
    } satisfies Partial<RunStarted>);
    const count = async () => (await fleet.api.get<{ runs: unknown[] }>('/v1/runs?workflow=bad&limit=500')).runs.length;
    const before = await count();
    for (const other of [
      { ...first, input: { other: true } },
      { definition: definition({ a: echo({ input: 2 }) }), ...key },
    ]) {
      const answer = await fleet.api.request<ProblemDocument>('POST', '/v1/runs', other, { repeat: false });
      expect([answer.status, answer.body.code]).toEqual([409, 'IDEMPOTENCY_CONFLICT']);
    }
    expect(await count()).toBe(before);
    expect((await fleet.api.run(runId)).status).toBe('succeeded');
  });
});
