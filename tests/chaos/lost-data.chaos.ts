import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  eventually,
  type Fleet,
  type LocalRedis,
  mapInTurn,
  type ProcessExit,
  startFleet,
  startRedis,
  testNamespace,
  within,
} from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/** F7: from the return of the empty Redis until the alarm. */
const ALARM_MS = 10_000;
const DEADLINE_MS = 30_000;
const DATA_LOSS = 74;
const RUNS = 10;

let redis: LocalRedis;
let fleet: Fleet;
const exits: { id: string; kind: string; exit: ProcessExit; afterMs: number; output: string }[] = [];
/** What submissions and questions were answered between the loss and the alarm. */
const answers: string[] = [];

beforeAll(async () => {
  redis = await startRedis();
  fleet = await startFleet({ redis, namespace: testNamespace(import.meta.url), schedulers: 2, workers: 2 });
  const sleep = { kind: 'task', use: 'flotilla.sleep', input: { ms: 2000 } };
  const definition = { flotilla: 1, name: 'lost', steps: { a: sleep, b: { ...sleep, needs: ['a'] } } };
  await mapInTurn(Array.from({ length: RUNS }), 5, (_, index) =>
    fleet.api.start({ definition, runId: `lost-${index}` }),
  );
  await redis.kill9();
  for (const name of await readdir(redis.dir)) await rm(join(redis.dir, name), { recursive: true });
  await redis.restart();
  const backAt = Date.now();
  const ended = Promise.all(
    fleet.members.map(async ({ id, kind, process }) => {
      const exit = await within(process.exited, DEADLINE_MS, `the end of ${id}`);
      exits.push({ id, kind, exit, afterMs: Date.now() - backAt, output: process.stderr() });
    }),
  );
  const asking = ask(definition);
  await Promise.allSettled([ended, asking]);
  process.stdout.write(
    `data loss: ${exits.map(({ kind, exit, afterMs }) => `${kind} code ${exit.code} after ${afterMs} ms`).join(', ')}\n`,
  );
  process.stdout.write(`answers in between: ${[...new Set(answers)].join(', ')}\n`);
}, 120_000);
afterAll(async () => {
  await fleet.stop();
  await redis.stop();
});

/** Goes on until no scheduler is left to ask. */
async function ask(definition: object): Promise<void> {
  await eventually(
    async () => {
      if (fleet.schedulers.length === 0) return true;
      for (const [method, path, body] of [
        ['POST', '/v1/runs', { definition }],
        ['GET', '/v1/runs/lost-0', undefined],
      ] as const) {
        const answer = await fleet.api
          .request<{ status?: string; code?: string }>(method, path, body, { repeat: false, timeoutMs: 2000 })
          .catch(() => undefined);
        if (answer !== undefined) answers.push(`${method} ${answer.status} ${answer.body.code ?? answer.body.status}`);
      }
      await pause(50);
      return false;
    },
    { timeoutMs: DEADLINE_MS, message: 'the schedulers to end' },
  );
}

describe('F7 a Redis that comes back empty is noticed within 10 s, and nobody goes on as if nothing had happened', () => {
  test('every scheduler and worker ends with the code of data loss, and says so', () => {
    expect(exits).toHaveLength(4);
    for (const { exit, output } of exits) {
      expect(exit.code).toBe(DATA_LOSS);
      expect(output).toContain('DATA_LOSS');
    }
  });

  test('all of them within 10 s', () => {
    expect(Math.max(...exits.map(({ afterMs }) => afterMs))).toBeLessThan(ALARM_MS);
  });

  test('no run that was lost is told to have succeeded', () => {
    expect(answers.filter((answer) => answer.startsWith('GET 200') && !answer.endsWith('running'))).toEqual([]);
  });
});
