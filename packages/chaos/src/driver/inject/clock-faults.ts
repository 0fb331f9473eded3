import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { eventually, type FleetApi } from '@flotilla/local-fleet';
import { queueOf } from '../scene.ts';
import type { Injector } from './injury.ts';

const SKEWS_MS: Readonly<Record<string, number>> = {
  '+60 s': 60_000,
  '-60 s': -60_000,
  '+1 day': 86_400_000,
  '-1 day': -86_400_000,
};
/** The library looks at its file once a second. */
const NOTICED_MS = 1500;
const TOLERANCE_MS = 5000;
const MOST_LOOKS = 5;
/** In a mix Redis may be away for 25 s just then. */
const ANSWER_MS = 60_000;

/** Where Debian and most others have it. */
export function findFaketime(): string | undefined {
  const folders = ['/usr/lib', '/usr/lib64', '/usr/local/lib'].filter((folder) => existsSync(folder));
  const candidates = folders.flatMap((folder) => [
    join(folder, 'faketime'),
    ...readdirSync(folder)
      .filter((name) => name.endsWith('-linux-gnu'))
      .map((name) => join(folder, name, 'faketime')),
  ]);
  return candidates.map((folder) => join(folder, 'libfaketimeMT.so.1')).find((path) => existsSync(path));
}

/** F19: the worker is started with a right clock, which then jumps, and later jumps back. */
export const skewClock: Injector = async (scene, { number, slot: preferred, variant }) => {
  const library = findFaketime();
  if (library === undefined) throw new Error('libfaketime is not installed (Debian: apt-get install faketime)');
  const skewMs = SKEWS_MS[variant.name]!;
  const clock = join(scene.folder, `clock-${number}`);
  const set = (seconds: number) => writeFile(clock, `${seconds < 0 ? '' : '+'}${seconds}s\n`);
  const { slot, member: before, release } = await scene.holdWorker(preferred);
  const startAt = Date.now();
  try {
    await set(0);
    await slot.restart({
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_CACHE_DURATION: '1',
      // What is measured, and not told, goes on as it was.
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    });
    const skewed = slot.member;
    await set(skewMs / 1000);
    const isOff = (offMs: number) => Math.abs(offMs - skewMs) < TOLERANCE_MS;
    let offMs = 0;
    for (let look = 1; look <= MOST_LOOKS && !isOff(offMs); look += 1) {
      await pause(NOTICED_MS);
      offMs = await askClock(scene.fleet.api, `clock-${number}-${look}`, slot.index);
    }
    await pause(variant.holdMs);
    await set(0);
    await pause(NOTICED_MS);
    const endAt = Date.now();
    await slot.restart();
    const proof = isOff(offMs) ? [`a step in ${skewed?.id} saw a clock that is ${offMs} ms off`] : [];
    return { startAt, endAt, targets: [before.id, skewed?.id ?? ''], proof };
  } finally {
    release();
  }
};

/** How far the clock that a step of this worker sees is from Redis'. */
async function askClock(api: FleetApi, runId: string, slot: number): Promise<number> {
  const step = { kind: 'task', use: 'tell-time', queue: queueOf(slot) };
  const definition = { flotilla: 1, name: 'chaos-clock', steps: { step } };
  await api.start({ definition, runId }, { timeoutMs: ANSWER_MS });
  await api.waitForEnd([runId], { timeoutMs: ANSWER_MS });
  const { run, steps } = await eventually(() => api.record(runId), { timeoutMs: ANSWER_MS });
  const told = (steps[0]?.output as { now?: number } | undefined)?.now;
  return Number(told) - (run.endedAt ?? 0);
}
