import { stateKey } from '@flotilla/state';
import { eventually, testNamespace } from '@flotilla/testing';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Calm } from '../calm.ts';
import type { Loop } from './loop.ts';
import { createReclaimLoop } from './reclaim-leases.ts';
import { LoopWorld } from './testing/loop-world.ts';

let world: LoopWorld;
let loop: Loop | undefined;
beforeEach(async () => {
  world = await new LoopWorld(testNamespace(import.meta.url)).open();
});
afterEach(async () => {
  await loop?.stop();
  loop = undefined;
  await world.close();
});

describe('an attempt whose worker is gone', () => {
  test('is made again although runs before it are damaged', async () => {
    const { client, tag } = world;
    const work = (handler: string) => ({ a: { kind: 'task', use: handler } }) as const;
    const lose = async (runId: string, key: string, order: number) =>
      client.zadd(stateKey(tag, 'lease'), order, `${runId}|${key}`);
    const [fields, definition, good] = await Promise.all(['one', 'two', 'three'].map((use) => world.start(work(use))));
    const runs = [fields!, definition!, good!];
    for (const [order, { runId, plan, key }] of runs.entries()) {
      await world.claim(runId, plan, key('a'), 'attempt-1');
      await lose(runId, key('a'), order);
    }
    await client.hset(stateKey(tag, 'run', fields!.runId), 'm', 'damaged');
    await world.damage(definition!.plan);
    // It has crashed often: what becomes of it is the plan's decision.
    const step = `s${definition!.key('a')}`;
    const definitionRun = stateKey(tag, 'run', definition!.runId);
    const header = (await client.hget(definitionRun, step))!.split('|');
    await client.hset(definitionRun, step, header.with(2, '99').join('|'));
    // Somebody has just looked: nothing is put off for living workers.
    await client.hset(stateKey(tag, 'reclaim'), 'last', Number.MAX_SAFE_INTEGER);

    loop = createReclaimLoop({ state: world.createState(), calm: new Calm(), logger: world.logger });
    loop.start();
    const headerOf = (run: typeof good) =>
      client.hget(stateKey(tag, 'run', run!.runId), `s${run!.key('a')}`).then((text) => text?.[0]);
    await eventually(async () => (await headerOf(good)) === 'Y');
    await eventually(async () => (await client.hget(definitionRun, 'x'))?.includes('DATA_CORRUPTION'));
    expect(await headerOf(fields)).toBe('R');
    expect(world.lines.map(({ msg }) => msg)).toEqual(
      expect.arrayContaining([
        'run (or cleanup) cannot continue; marking it failed',
        'run data is too corrupt to mark the run failed',
      ]),
    );
  });

  test('too often ends the map whose item it made, as any failed item does', async () => {
    const { client, tag } = world;
    const { runId, plan, key } = await world.start({
      m: { kind: 'map', over: '[1]', each: { kind: 'task', use: 'work' } },
    });
    const item = `${key('m')}.0`;
    const settings = { concurrency: 1, toleratedFailures: 0, maxSteps: undefined, definitionSteps: 1 };
    await world.state.transitions.startMap({ tag, runId, key: key('m') }, ['1'], settings);
    await world.claim(runId, plan, item, 'attempt-1');
    await client.zadd(stateKey(tag, 'lease'), 0, `${runId}|${item}`);
    const run = stateKey(tag, 'run', runId);
    const header = (await client.hget(run, `s${item}`))!.split('|');
    await client.hset(run, `s${item}`, header.with(2, '99').join('|'));
    await client.hset(stateKey(tag, 'reclaim'), 'last', Number.MAX_SAFE_INTEGER);

    loop = createReclaimLoop({ state: world.state, calm: new Calm(), logger: world.logger });
    loop.start();
    await eventually(async () => (await world.state.readRun(runId))?.status === 'failed');
    const { error } = (await world.state.readRun(runId))!;
    expect(error).toMatchObject({ code: 'MAP_ITEMS_FAILED', stepId: 'm' });
    expect(error?.message).toContain('m[0]: CRASH_LIMIT: ');
  });

  test('beside others any number of times is made again: that accuses nobody', async () => {
    const { client, tag } = world;
    const { runId, plan, key } = await world.start({ a: { kind: 'task', use: 'work' } });
    await world.claim(runId, plan, key('a'), 'attempt-1');
    const [run, field] = [stateKey(tag, 'run', runId), `s${key('a')}`];
    const header = (await client.hget(run, field))!.split('|');
    await client.hset(run, field, header.with(2, '50').join('|'));
    await client.zadd(stateKey(tag, 'lease'), 0, `${runId}|${key('a')}`);
    await client.hset(stateKey(tag, 'reclaim'), 'last', Number.MAX_SAFE_INTEGER);

    loop = createReclaimLoop({ state: world.state, calm: new Calm(), logger: world.logger });
    loop.start();
    await eventually(async () => (await client.hget(run, field))?.startsWith('Y|0|51|'));
  });

  test('is noticed at once behind a thousand attempts of living workers', async () => {
    const { client, tag } = world;
    const lease = stateKey(tag, 'lease');
    const names = Array.from({ length: 600 }, (_, index) => `s${index}`);
    const steps = Object.fromEntries(names.map((id) => [id, { kind: 'task', use: 'work' } as const]));
    for (const { runId, plan, key } of await Promise.all([world.start(steps), world.start(steps)])) {
      await Promise.all(names.map((id) => world.claim(runId, plan, key(id), `attempt-${id}`, 'living')));
    }
    const { runId, plan, key } = await world.start({ a: { kind: 'task', use: 'work' } });
    await world.claim(runId, plan, key('a'), 'attempt-1', 'dead');
    await world.state.transitions.renew(tag, 'living', 0);
    // All are to be looked at now, the lost one last.
    const inFlight = await client.zrange(lease, '0', '-1');
    const lost = `${runId}|${key('a')}`;
    await client.zadd(lease, 'XX', ...inFlight.flatMap((member) => [member === lost ? 2 : 1, member]));
    await client.hset(stateKey(tag, 'reclaim'), 'last', Number.MAX_SAFE_INTEGER);

    loop = createReclaimLoop({ state: world.state, calm: new Calm(), logger: world.logger });
    loop.start();
    await eventually(async () => (await client.zscore(lease, lost)) === null, { timeoutMs: 1000 });
    const header = await client.hget(stateKey(tag, 'run', runId), `s${key('a')}`);
    expect(header?.[0]).toBe('Y');
    expect(await client.zcard(lease)).toBe(1200);
    expect(await client.zcount(lease, '-inf', '2')).toBe(0);
  }, 30_000);
});
