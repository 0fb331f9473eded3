import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findViolations } from '@flotilla/checker';
import { type Fleet, type LocalRedis, startFleet, startRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

/** Of its own: it is killed, and its data are replaced. */
let redis: LocalRedis;
let fleet: Fleet;
let backup: string;
beforeAll(async () => {
  backup = await mkdtemp(join(tmpdir(), 'flotilla-test-'));
  redis = await startRedis();
  fleet = await startFleet({ redis, namespace: testNamespace(import.meta.url) });
}, 60_000);
afterAll(async () => {
  const ends = fleet.unexpectedEnds();
  await fleet.stop();
  await redis.stop();
  await rm(backup, { recursive: true, force: true });
  expect(ends).toEqual([]);
});

const sleep = (ms: number, needs: readonly string[] = []) => ({
  kind: 'task',
  use: 'flotilla.sleep',
  input: { ms },
  needs,
});

describe('a backup is restored while the workers live', () => {
  test('G2 attempts that had ended after it was made are made again, uncharged, and those under way go on', async () => {
    const steps = {
      a: sleep(2000),
      b: sleep(2000),
      long: sleep(12_000),
      chain: sleep(10, ['a']),
      end: sleep(10, ['b', 'long']),
    };
    const { runId } = await fleet.api.start({ definition: { flotilla: 1, name: 'restored', steps } });
    const started = async () =>
      (await fleet.api.history(runId)).filter(({ type }) => type === 'attempt-started').length;
    while ((await started()) < 3) await fleet.api.waitForEvent(runId, ({ type }) => type === 'attempt-started');
    await cp(redis.dir, backup, { recursive: true });
    await fleet.api.waitForEvent(runId, ({ type, stepId }) => type === 'step-succeeded' && stepId === 'chain');
    await redis.kill9();
    await rm(redis.dir, { recursive: true });
    await cp(backup, redis.dir, { recursive: true });
    await redis.restart();

    const before = await fleet.api.record(runId);
    expect(before.events.filter(({ type }) => type === 'step-succeeded')).toEqual([]);
    await fleet.api.waitForEnd([runId], { timeoutMs: 30_000 });
    const record = await fleet.api.record(runId);
    expect(record.run.status).toBe('succeeded');
    expect(findViolations(record)).toEqual([]);
    const given = record.events.filter(({ type }) => type === 'attempt-cancelled');
    expect(given.map(({ stepId, data }) => [stepId, data?.['reason']]).sort()).toEqual([
      ['a', 'rolled-back'],
      ['b', 'rolled-back'],
    ]);
    expect(record.steps.filter(({ attempts, lost = 0 }) => attempts !== 1 || lost !== 0)).toEqual([]);
  }, 60_000);
});
