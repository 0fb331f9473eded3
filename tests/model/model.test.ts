import { findViolations } from '@flotilla/checker';
import { closeConnection, connectRedis, type RedisConnection, untilReady } from '@flotilla/redis';
import { sharedRedis, testNamespace } from '@flotilla/testing';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { removeKeys, scanKeys } from '../scan-keys.ts';
import { createRun } from './create-run.ts';
import { callsOf, type Operation, operationArbitrary, renew } from './operations.ts';
import { quiesce } from './quiesce.ts';
import { compileRandom, workflowArbitrary } from './random-workflow.ts';
import type { ReferenceRun } from './reference/reference-run.ts';
import { pruneRun } from './run-calls.ts';
import { checkProperty } from './seeded-property.ts';
import { type Call, World } from './world.ts';

/**
 * Random workflows, and random moves of schedulers, workers and users on their runs: out of order, from dead workers, with
 * stale fences, asked twice, several in one script call. After each move everything that Redis holds is compared with
 * `reference/`, which knows runs but no counters, scripts or keys. In the end nothing fails any more: every run must come
 * to rest, hold the invariants of histories and leave nothing behind.
 *
 * A failure names its seed: FLOTILLA_SEED repeats it.
 */

let connection: RedisConnection;
beforeAll(async () => {
  connection = connectRedis(sharedRedis().url, 'commands');
  await untilReady(connection, 60_000);
});
afterAll(async () => {
  await closeConnection(connection);
});

async function createWorld(workflows: readonly Parameters<typeof compileRandom>[0][], keyed: boolean): Promise<World> {
  const world = new World(connection.client, testNamespace(import.meta.url));
  await world.execute(world.tags.flatMap((tag) => ['w1', 'w2', 'w3'].map((worker) => renew(world, tag, worker))));
  for (const [index, workflow] of workflows.entries()) {
    const plan = compileRandom(workflow);
    const submission = {
      runId: `0${index % 2}-run${index}`,
      tag: world.tags[index % 2]!,
      plan,
      idempotencyKey: keyed ? `key ${index}` : undefined,
    };
    world.submissions.push(submission);
    await world.execute([createRun(world, submission)]);
  }
  return world;
}

async function perform(world: World, operations: readonly Operation[]): Promise<void> {
  let group: Call[] = [];
  for (const operation of operations) {
    const next = await callsOf(world, operation);
    const alone = operation.kind === 'create';
    if (alone && group.length > 0) {
      await world.execute(group);
      group = [];
    }
    group.push(...next);
    if (operation.grouped && !alone) continue;
    const [one] = group;
    if (one === undefined) continue;
    const replies = await world.execute(group);
    if (operation.repeated && group.length === 1) await world.repeat(one, replies[0]);
    if (operation.c % 5 === 0) for (const run of world.runs) await world.compareViews(run);
    group = [];
  }
  if (group.length > 0) await world.execute(group);
}

/** What may be left of runs that were pruned: nothing but what is not of any run. */
async function checkLeftovers(world: World): Promise<void> {
  for (const run of world.runs) await world.execute([pruneRun(world, run)]);
  const left = await scanKeys(world.client, `{${world.namespace}:`);
  const idempotency = [...world.reference.idempotency.keys()].map((name) => name.replace('|', 'i:'));
  const lasting = world.tags.flatMap((tag) => [
    `${tag}out`,
    `${tag}workers`,
    `${tag}reclaim`,
    `${tag}b:payments`,
    `${tag}waits`,
  ]); // what is parked behind a breaker expires by itself
  const allowed = new Set([...idempotency, ...lasting]);
  // What a breaker keeps parked is forgotten after ten minutes.
  expect(left.filter((key) => !allowed.has(key) && !key.includes('}:b:'))).toEqual([]);
}

const exampleArbitrary = fc.record({
  workflows: fc.array(workflowArbitrary, { minLength: 1, maxLength: 2 }),
  keyed: fc.boolean(),
  operations: fc.array(operationArbitrary, { minLength: 1, maxLength: 80, size: 'max' }),
  chance: fc.nat(1000),
});

interface Example {
  workflows: Parameters<typeof compileRandom>[0][];
  keyed: boolean;
  operations: Operation[];
  chance: number;
}

async function checkExample({ workflows, keyed, operations, chance }: Example): Promise<void> {
  const world = await createWorld(workflows, keyed);
  try {
    await perform(world, operations);
    await quiesce(world, chance);
    for (const run of world.runs) {
      expect(run.isTerminal).toBe(true);
      await world.compareViews(run);
      expect(await findViolationsOf(world, run)).toEqual([]);
      const { checkpoints } = await world.state.listCheckpoints(run.id, { limit: 1000 });
      expect(checkpoints.filter(({ verified }) => !verified)).toEqual([]);
    }
    await checkLeftovers(world);
  } finally {
    await removeKeys(world.client, `{${world.namespace}`);
  }
}

async function findViolationsOf(world: World, { id, plan }: ReferenceRun): Promise<string[]> {
  const [run, { steps }, { events }] = await Promise.all([
    world.state.readRun(id),
    world.state.listSteps(id, { limit: 1000 }),
    world.state.readHistory(id, { after: -1, limit: 10_000 }),
  ]);
  const joinsAny = new Set(plan.steps.filter(({ group }) => plan.groups[group]!.join === 'any').map((step) => step.id));
  const tolerated = new Set(plan.steps.flatMap((step) => (step.tolerated ? [step.id] : [])));
  return findViolations({ run: run!, steps, events }, { joinsAny, tolerated });
}

describe('state, beside a reference that knows no Redis', () => {
  test('is what the reference says, whatever workers, schedulers and users do in whatever order', async () => {
    await checkProperty(exampleArbitrary, checkExample, { timeLimitMs: 20_000, numRuns: 400 });
  }, 120_000);
});
