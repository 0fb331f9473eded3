import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually, type FleetApi, mapInTurn } from '@flotilla/local-fleet';
import { queueOf, type Scene } from '../scene.ts';
import type { Injector, Injury } from './injury.ts';

const END_MS = 60_000;
const BACK_MS = 90_000;

/** F17: the worker is started with a small heap, then given a step that fills it. */
export const exhaustMemory: Injector = async (scene, fault) => {
  const { slot, release } = await scene.holdWorker(fault.slot);
  try {
    await slot.restart({ NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=8' });
    return await endBy(scene, slot.index, `memory-${fault.number}`, 'use-up-memory');
  } finally {
    release();
  }
};

const POISONS: Readonly<Record<string, string>> = { exit: 'end-worker', loop: 'loop-for-ever' };

/** F20 */
export const poisonStep: Injector = async (scene, fault) => {
  const use = POISONS[fault.variant.name];
  if (use === undefined) return throwNoError(scene, `poison-${fault.number}`);
  const { slot, release } = await scene.holdWorker(fault.slot);
  try {
    return await endBy(scene, slot.index, `poison-${fault.number}`, use);
  } finally {
    release();
  }
};

/** A step that ends the worker the first time, on the queue of that worker alone, so that it meets no other. */
async function endBy(scene: Scene, index: number, runId: string, use: string): Promise<Injury> {
  const slot = scene.workers[index]!;
  const ending = scene.awaitSelfEnd(slot, END_MS);
  const step = { kind: 'task', use, queue: queueOf(index), input: { mark: join(scene.folder, runId) } };
  const { api } = scene.fleet;
  await api.start({ definition: { flotilla: 1, name: `chaos-${use}`, steps: { step } }, runId }, { timeoutMs: END_MS });
  const startedAt = (await api.waitForEvent(runId, ({ type }) => type === 'attempt-started', END_MS)).at;
  const end = await ending;
  if (end === undefined) return { startAt: startedAt, endAt: startedAt, targets: [], proof: [] };
  const endedAt = Date.now();
  const how = end.exit.signal ?? `code ${end.exit.code}`;
  await eventually(() => slot.isUp, { timeoutMs: BACK_MS, intervalMs: 50, message: `slot ${index} to be up again` });
  const awayMs = Date.now() - startedAt;
  // A loop that is blocked is noticed by its silence, a death by nothing else: both count from the step's beginning.
  const proof = [`${end.member.id} ended itself with ${how} after ${endedAt - startedAt} ms`];
  return { startAt: startedAt, endAt: startedAt, targets: [end.member.id], proof, awayMs };
}

async function throwNoError(scene: Scene, runId: string): Promise<Injury> {
  const startAt = Date.now();
  const step = { kind: 'task', use: 'throw-no-error', retry: { maxAttempts: 2, initialMs: 50, maxMs: 50 } };
  const definition = { flotilla: 1, name: 'chaos-throw', steps: { step } };
  await scene.fleet.api.start({ definition, runId }, { timeoutMs: END_MS });
  await scene.fleet.api.waitForEnd([runId], { timeoutMs: END_MS });
  const { status, error } = await scene.fleet.api.run(runId);
  const proof = status === 'failed' ? [`run ${runId} failed with ${error?.code}`] : [];
  return { startAt, endAt: Date.now(), targets: [], proof };
}

const MOST_CANCELLED = 12;

/** F25 */
export const cancelStorm: Injector = async (scene) => {
  const { api } = scene.fleet;
  const { runs } = await api.get<{ runs: { runId: string }[] }>('/v1/runs?status=running&limit=100');
  // Those of other faults are to end as those faults foresee.
  const victims = runs.map(({ runId }) => runId).filter((runId) => runId.startsWith('load-'));
  const startAt = Date.now();
  const receipts = await mapInTurn(victims.slice(0, MOST_CANCELLED), 6, async (runId, index) => {
    await pause((index % 6) * 50);
    const outcomes = await Promise.all([cancel(api, runId), cancel(api, runId)]);
    return { runId, outcomes };
  });
  const accepted = receipts.filter(({ outcomes }) => outcomes.includes(200)).map(({ runId }) => runId);
  return {
    startAt,
    endAt: Date.now(),
    targets: [],
    proof: accepted.length > 0 ? [`${accepted.length} runs took a cancellation, each asked twice at once`] : [],
    cancelled: victims.slice(0, MOST_CANCELLED),
  };
};

async function cancel(api: FleetApi, runId: string): Promise<number> {
  return (await api.request('POST', `/v1/runs/${runId}/cancel`)).status;
}
