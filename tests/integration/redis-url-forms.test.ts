import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Durability, ProblemDocument, RunStarted } from '@flotilla/contracts';
import {
  freePort,
  type RedisCluster,
  type SentinelSet,
  type StartedProcess,
  spawnNode,
  startCluster,
  startFleet,
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
  /** What a start is answered that asks for this durability. */
  durabilities: Partial<Record<Durability, Answer>>;
}

interface Answer {
  status: number;
  body: Partial<RunStarted> | Partial<ProblemDocument>;
}

const REFUSED: Answer = {
  status: 422,
  body: { code: 'DURABILITY_UNSUPPORTED', detail: 'durability above fast is not offered on a Cluster' },
};

const FORMS: Record<string, Form> = {
  'redis+cluster': {
    start: () => startCluster(),
    shown: /Redis [\d.]+, [\d.]+, [\d.]+ at redis\+cluster:\/\/127\.0\.0\.1:\d+,127\.0\.0\.1:\d+,127\.0\.0\.1:\d+/,
    durabilities: { fast: { status: 201, body: { durability: 'fast' } }, fsynced: REFUSED, replicated: REFUSED },
  },
  'redis+sentinel': {
    start: () => startSentinel({ replicas: 1 }),
    shown: /Redis [\d.]+ at redis\+sentinel:\/\/127\.0\.0\.1:\d+,127\.0\.0\.1:\d+,127\.0\.0\.1:\d+\/flotilla\/0/,
    // Whether `fsynced` is offered is a question of Redis' version.
    durabilities: {
      fast: { status: 201, body: { durability: 'fast' } },
      replicated: { status: 201, body: { durability: 'replicated' } },
    },
  },
};

describe.each(Object.keys(FORMS))('a REDIS_URL that begins with %s://', (scheme) => {
  const { start, shown, durabilities } = FORMS[scheme]!;
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

  test(
    'is one whose runs are as lasting as was asked, or refused with nothing stored',
    async () => {
      const fleet = await startFleet({ redis: { url }, namespace: testNamespace(import.meta.url), workers: 0 });
      try {
        const steps = { only: { kind: 'task', use: 'flotilla.echo' } };
        const definition = { flotilla: 1, name: 'lasting', steps };
        for (const [durability, answer] of Object.entries(durabilities)) {
          const submission = { definition, runId: `asks-${durability}`, durability };
          expect(await fleet.api.request('POST', '/v1/runs', submission)).toMatchObject(answer);
        }
        const { runs } = await fleet.api.get<{ runs: { runId: string }[] }>('/v1/runs');
        const accepted = Object.entries(durabilities).filter(([, { status }]) => status === 201);
        expect(runs.map(({ runId }) => runId).sort()).toEqual(accepted.map(([name]) => `asks-${name}`).sort());
      } finally {
        await fleet.stop();
      }
    },
    MOST_MS,
  );
});
