import { setTimeout as pause } from 'node:timers/promises';
import type { BreakerView } from '@flotilla/contracts';
import { type DependencyMood, eventually, type FleetApi, startDependency } from '@flotilla/local-fleet';
import type { Injector } from './injury.ts';

/** So many that a twentieth of them is more than chance makes of an even return. */
const RUNS = 6;
const STEPS_OF_A_RUN = 100;
const OPEN_MS = 30_000;
/** All steps come back over 45 s; what other faults do to them at the same time comes on top. */
const END_MS = 120_000;

/** F26: steps of several runs call a server that is dead for a while. Over when it is back; waits for the runs to end. */
export const killDependency: Injector = async (scene, { number, variant }) => {
  const breaker = `dependency-${number}`;
  const { api } = scene.fleet;
  const dependency = await startDependency(variant.name as DependencyMood, (call) =>
    scene.recorder.add('dependencyCalls', { ...call, breaker }),
  );
  try {
    const startAt = Date.now();
    const runIds = Array.from({ length: RUNS }, (_, index) => `dependency-${number}-${index}`);
    const definition = fanOf(dependency.url, breaker);
    await Promise.all(runIds.map((runId) => api.start({ definition, runId }, { timeoutMs: OPEN_MS })));
    const opened = await eventually(() => findOpen(api, breaker), {
      timeoutMs: OPEN_MS,
      message: `the breaker ${breaker} to open`,
    });
    await pause(variant.holdMs);
    const waiting = await findOpen(api, breaker);
    dependency.mood = 'works';
    const endAt = Date.now();
    await api.waitForEnd(runIds, { timeoutMs: END_MS, intervalMs: 250 });
    const [openedAt, parked] = [opened.since, waiting?.parked ?? 0];
    const calls = dependency.calls.filter((at) => at > openedAt && at < endAt).length;
    const proof = `its breaker opened after ${openedAt - startAt} ms and kept ${parked} steps parked; ${calls} calls came in ${endAt - openedAt} ms`;
    const outage = { breaker, runIds, steps: RUNS * STEPS_OF_A_RUN, openedAt, parked };
    return { startAt, endAt, targets: [], proof: parked > 0 ? [proof] : [], outage };
  } finally {
    await dependency.close();
  }
};

function fanOf(url: string, breaker: string): object {
  const step = { kind: 'http', request: { url }, breaker, timeouts: { attemptMs: 1500 }, retry: { maxAttempts: 8 } };
  const steps = Object.fromEntries(Array.from({ length: STEPS_OF_A_RUN }, (_, index) => [`s${index}`, step]));
  return { flotilla: 1, name: breaker, steps };
}

async function findOpen(api: FleetApi, name: string): Promise<BreakerView | undefined> {
  const { breakers } = await api.get<{ breakers: BreakerView[] }>('/v1/breakers');
  return breakers.find((breaker) => breaker.name === name && breaker.state !== 'closed');
}
