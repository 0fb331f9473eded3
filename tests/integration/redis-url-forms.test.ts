import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  freePort,
  type RedisCluster,
  type SentinelSet,
  type StartedProcess,
  spawnNode,
  startCluster,
  startSentinel,
  testNamespace,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const root = resolve(import.meta.dirname, '../..');
const main = join(root, 'packages/cli/src/main.ts');
const MOST_MS = 120_000;

/** Of their own: each is about what its URL leads to. */
const started: (RedisCluster | SentinelSet)[] = [];
let logs: string;
beforeAll(async () => {
  logs = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
});
afterAll(async () => {
  await Promise.all(started.map((each) => each.stop()));
  await rm(logs, { recursive: true });
});

interface Form {
  start: () => Promise<RedisCluster | SentinelSet>;
  /** As doctor shows it. */
  shown: RegExp;
}

const FORMS: Record<string, Form> = {
  'redis+cluster': {
    start: () => startCluster(),
    shown: /Redis [\d.]+, [\d.]+, [\d.]+ at redis\+cluster:\/\/127\.0\.0\.1:\d+,127\.0\.0\.1:\d+,127\.0\.0\.1:\d+/,
  },
  'redis+sentinel': {
    start: () => startSentinel({ replicas: 1 }),
    shown: /Redis [\d.]+ at redis\+sentinel:\/\/127\.0\.0\.1:\d+,127\.0\.0\.1:\d+,127\.0\.0\.1:\d+\/flotilla\/0/,
  },
};

describe.each(Object.keys(FORMS))('a REDIS_URL that begins with %s://', (scheme) => {
  const { start, shown } = FORMS[scheme]!;
  const namespace = testNamespace(import.meta.url);
  let url: string;
  beforeAll(async () => {
    const redis = await start();
    started.push(redis);
    url = redis.url;
  }, MOST_MS);

  const flotilla = (args: readonly string[], env: Record<string, string> = {}): Promise<StartedProcess> =>
    spawnNode(main, args, {
      cwd: root,
      env: { REDIS_URL: url, FLOTILLA_LOGS: logs, FLOTILLA_NAMESPACE: namespace, ...env },
    });

  test(
    'is one that up starts a fleet with, runs a workflow on, and ends in order',
    async () => {
      expect(url.startsWith(`${scheme}://`)).toBe(true);
      const port = await freePort();
      const handlers = 'examples/order-fulfilment/src/handlers.ts';
      const up = await flotilla(['up', '--workers', '1', '--port', String(port), '--handlers', handlers]);
      await up.waitForLine(/Serving until Ctrl-C/, 60_000);
      const env = { FLOTILLA_URL: `http://127.0.0.1:${port}` };
      const input = '@examples/order-fulfilment/large-order.json';
      const workflow = 'examples/order-fulfilment/src/workflow.ts';
      const run = await flotilla(['run', workflow, '--input', input, '--wait', '--json'], env);
      expect(await run.exited).toMatchObject({ code: 0 });
      expect(JSON.parse(run.stdout())).toMatchObject({ status: 'succeeded', output: { charged: 1350 } });
      up.signal('SIGTERM');
      expect(await up.exited).toMatchObject({ code: 0 });
    },
    MOST_MS,
  );

  test(
    'is one that doctor looks behind',
    async () => {
      const doctor = await flotilla(['doctor', '--json']);
      await doctor.exited;
      const { checks } = JSON.parse(doctor.stdout()) as { checks: { check: string }[] };
      expect(checks.filter(({ check }) => check === 'redis')).toEqual([
        { check: 'redis', state: 'ok', message: expect.stringMatching(shown) },
      ]);
    },
    MOST_MS,
  );
});
