import { type AddressInfo, connect, createServer } from 'node:net';
import type { ProblemDocument } from '@flotilla/contracts';
import { closeConnection, connectRedis, untilReady } from '@flotilla/redis';
import {
  eventually,
  type Fleet,
  freePort,
  type LocalRedis,
  type StartedProcess,
  startFleet,
  startProgram,
  startRedis,
  startStopwatch,
  testNamespace,
  within,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const namespace = testNamespace(import.meta.url);
const EXIT_MS = 40_000;
const KINDS = ['scheduler', 'worker'] as const;

/** A start that must fail: its exit code and what it says. */
async function failsToStart(kind: (typeof KINDS)[number], env: Record<string, string>) {
  const program = await startProgram(kind, { FLOTILLA_NAMESPACE: namespace, ...env });
  return endOf(program);
}

async function endOf(program: StartedProcess) {
  try {
    const { code } = await within(program.exited, EXIT_MS, 'the process to end');
    return { code, stderr: program.stderr() };
  } finally {
    await program.kill9();
  }
}

/** The real server, except that it calls itself another version: an old one is not to be had on every machine. */
async function pretendVersion({ port }: LocalRedis, version: string) {
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    client.pipe(upstream);
    upstream.on('data', (data) => {
      // As long as before, so that the reply keeps its length.
      const text = data.toString('latin1').replace(/(redis_version:)([\d.]+)/, (_, name: string, real: string) => {
        return name + version.padEnd(real.length).slice(0, real.length);
      });
      client.write(text, 'latin1');
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: own } = server.address() as AddressInfo;
  return { url: `redis://127.0.0.1:${own}`, stop: () => new Promise((resolve) => server.close(resolve)) };
}

const echo = (input: unknown, more: object = {}) => ({ kind: 'task', use: 'flotilla.echo', input, ...more });
const workflow = (steps: object) => ({ definition: { flotilla: 1, name: 'trouble', steps } });

async function withRedis<T>(url: string, use: (client: ReturnType<typeof connectRedis>['client']) => Promise<T>) {
  const connection = connectRedis(url, 'commands');
  try {
    await untilReady(connection, 60_000);
    return await use(connection.client);
  } finally {
    await closeConnection(connection);
  }
}

describe('when it starts', () => {
  // Single servers of their own: how they are set up is what this is about.
  let redis: LocalRedis;
  let volatile: LocalRedis;
  let target: string;
  let absent: Promise<Awaited<ReturnType<typeof failsToStart>>[]>;
  beforeAll(async () => {
    [redis, volatile] = await Promise.all([startRedis(), startRedis({ appendOnly: false })]);
    target = `127.0.0.1:${await freePort()}`;
    // Begun here because they try for 10 s; the last test looks at how they ended.
    absent = Promise.all(KINDS.map((kind) => failsToStart(kind, { REDIS_URL: `redis://${target}` })));
    absent.catch(() => undefined); // told by the test
  });
  afterAll(async () => {
    await Promise.all([redis.stop(), volatile.stop()]);
  });

  test('the programs end with 3 and name the setting when Redis may evict', async () => {
    await withRedis(redis.url, (client) => client.config('SET', 'maxmemory-policy', 'allkeys-lru'));
    try {
      const ends = await Promise.all(KINDS.map((kind) => failsToStart(kind, { REDIS_URL: redis.url })));
      for (const { code, stderr } of ends) {
        expect(stderr).toMatch(/maxmemory-policy.*noeviction/);
        expect(code).toBe(3);
      }
    } finally {
      await withRedis(redis.url, (client) => client.config('SET', 'maxmemory-policy', 'noeviction'));
    }
    expect(await withRedis(redis.url, (client) => client.dbsize())).toBe(0);
  }, 60_000);

  test('the programs end with 3 and name the setting when AOF is off, and nothing is stored', async () => {
    const ends = await Promise.all(KINDS.map((kind) => failsToStart(kind, { REDIS_URL: volatile.url })));
    for (const { code, stderr } of ends) {
      expect(stderr).toContain('appendonly');
      expect(code).toBe(3);
    }
    expect(await withRedis(volatile.url, (client) => client.dbsize())).toBe(0);
  }, 60_000);

  test('the programs end with 3 and name the version when Redis is too old', async () => {
    const old = await pretendVersion(redis, '6.2.15');
    try {
      const ends = await Promise.all(KINDS.map((kind) => failsToStart(kind, { REDIS_URL: old.url })));
      for (const { code, stderr } of ends) {
        expect(stderr).toContain('6.2.15');
        expect(stderr).toContain('7.0 or later');
        expect(code).toBe(3);
      }
    } finally {
      await old.stop();
    }
    expect(await withRedis(redis.url, (client) => client.dbsize())).toBe(0);
  }, 60_000);

  test('AOF may be off where that is allowed, and a run ends', async () => {
    const fleet = await startFleet({ redis: volatile, namespace, env: { FLOTILLA_ALLOW_VOLATILE: '1' } });
    try {
      const { run } = await fleet.api.runToEnd(workflow({ a: echo(1) }));
      expect(run.status).toBe('succeeded');
    } finally {
      await fleet.stop();
    }
  }, 60_000);

  test('another number of partitions ends the programs with 3, a port in use with 2', async () => {
    const fleet = await startFleet({ redis, namespace, workers: 0, env: { FLOTILLA_PARTITIONS: '4' } });
    try {
      const port = new URL(fleet.url).port;
      const [taken, ...ends] = await Promise.all([
        failsToStart('scheduler', { REDIS_URL: redis.url, FLOTILLA_PARTITIONS: '4', FLOTILLA_PORT: port }),
        ...KINDS.map((kind) => failsToStart(kind, { REDIS_URL: redis.url, FLOTILLA_PARTITIONS: '5' })),
      ]);
      for (const { code, stderr } of ends) {
        expect(stderr).toContain('created with 4 partitions and this process is set to 5');
        expect(code).toBe(3);
      }
      expect(taken.stderr).toContain('FLOTILLA_PORT');
      expect(taken.code).toBe(2);
      expect(fleet.unexpectedEnds()).toEqual([]);
    } finally {
      await fleet.stop();
    }
  }, 60_000);

  test('the programs end with 3 and name the target when Redis is absent', async () => {
    for (const { code, stderr } of await absent) {
      expect(stderr).toContain(target);
      expect(code).toBe(3);
    }
  }, 60_000);
});

describe('when it runs', () => {
  const DEADLINE_MS = 2000;
  // A single server of its own: it is stopped, frozen and filled.
  let redis: LocalRedis;
  let fleet: Fleet;
  beforeAll(async () => {
    redis = await startRedis();
    fleet = await startFleet({
      redis,
      namespace,
      schedulerEnv: { FLOTILLA_REQUEST_DEADLINE_MS: `${DEADLINE_MS}` },
    });
  }, 60_000);
  afterAll(async () => {
    const ends = fleet.unexpectedEnds();
    await fleet.stop();
    await redis.stop();
    expect(ends).toEqual([]);
  });

  test('a frozen Redis gives typed errors within the deadline, and all goes on when it thaws', async () => {
    const { runId } = await fleet.api.start(
      workflow({
        pause: { kind: 'task', use: 'flotilla.sleep', input: { ms: 500 } },
        last: echo({ from: '${{ steps.pause.status }}' }, { needs: ['pause'] }),
      }),
    );
    await fleet.api.waitForEvent(runId, ({ type }) => type === 'attempt-started');
    redis.pause();
    try {
      const once = { repeat: false, timeoutMs: 60_000 };
      const machineMs = startStopwatch();
      const answers = await Promise.all([
        fleet.api.request<ProblemDocument>('POST', '/v1/runs', { ...workflow({ a: echo(1) }), runId: 'frozen' }, once),
        fleet.api.request<ProblemDocument>('GET', `/v1/runs/${runId}`, undefined, once),
        fleet.api.request<ProblemDocument>('GET', '/v1/runs', undefined, once),
        fleet.api.request<ProblemDocument>('POST', `/v1/runs/${runId}/cancel`, {}, once),
      ]);
      expect(machineMs()).toBeLessThan(DEADLINE_MS + 1000);
      for (const { status, body, headers } of answers) {
        expect([503, 504]).toContain(status);
        expect(['DEADLINE_EXCEEDED', 'REDIS_UNAVAILABLE']).toContain(body.code);
        expect(headers.get('content-type')).toContain('application/problem+json');
      }
      // Whether these happened is not known; for the reads there is nothing to know.
      expect(answers.map(({ body }) => body.ambiguous === true)).toEqual([true, false, false, true]);
    } finally {
      redis.resume();
    }
    const { runId: after } = await fleet.api.start({ ...workflow({ a: echo(1) }), runId: 'after-the-freeze' });
    await fleet.api.waitForEnd([runId, after], { timeoutMs: 20_000 });
    expect((await fleet.api.run(after)).status).toBe('succeeded');
    // The cancellation had no answer: it may have come through.
    expect(['succeeded', 'cancelled']).toContain((await fleet.api.run(runId)).status);
  }, 45_000);

  test('G8 a full Redis refuses submissions, lets attempts end, holds what would follow, and goes on when it has room', async () => {
    const running = workflow({
      // Longer than a worker needs to notice, on a busy machine, too.
      first: { kind: 'task', use: 'flotilla.sleep', input: { ms: 5000 } },
      last: echo('done', { needs: ['first'] }),
    });
    const { runId } = await fleet.api.start(running);
    await fleet.api.waitForEvent(runId, ({ type }) => type === 'attempt-started');
    await withRedis(redis.url, async (client) => {
      const used = /used_memory:(\d+)/.exec(await client.info('memory'))?.[1];
      await client.config('SET', 'maxmemory', String(Number(used) + 1024));
    });
    // Large, so that it would not fit in what is left.
    const more = { ...workflow({ a: echo(1) }), input: 'x'.repeat(100_000) };
    const refused = await eventually(async () => {
      const answer = await fleet.api.request<ProblemDocument>('POST', '/v1/runs', more, { repeat: false });
      return answer.status === 201 ? undefined : answer;
    });
    expect([refused.status, refused.body.code]).toEqual([503, 'STORAGE_FULL']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.body.ambiguous ?? false).toBe(false);

    await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'step-succeeded' && stepId === 'first');
    await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'step-parked' && stepId === 'last');
    await withRedis(redis.url, (client) => client.config('SET', 'maxmemory', '0'));
    const machineMs = startStopwatch();
    await fleet.api.waitForEnd([runId], { timeoutMs: 15_000 });
    const { run, steps } = await fleet.api.record(runId);
    expect(run.status).toBe('succeeded');
    expect(steps.map(({ attempts, lost = 0 }) => [attempts, lost])).toEqual([
      [1, 0],
      [1, 0],
    ]);

    const accepted = await fleet.api.runToEnd({ ...more, runId: 'after-the-room' });
    expect(accepted.run.status).toBe('succeeded');
    expect(machineMs()).toBeLessThan(5000);
  }, 45_000);
});
