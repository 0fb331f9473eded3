import type { Json, StepView } from '@flotilla/contracts';
import type { RedisClient } from '@flotilla/redis';
import { progressKeyOf } from './keys.ts';

/** What an attempt under way has given its last heartbeat. */
export interface ReportedProgress {
  attemptId: string;
  value: Json;
}

/** A worker that dies leaves its reports behind for so long; nobody reads them, for no attempt is with it. */
const LIVES_MS = 3_600_000;

/** Replaces what a worker has reported of these attempts, and forgets the attempts that have ended. */
export async function reportProgress(
  client: RedisClient,
  namespace: string,
  worker: string,
  { reported, ended }: { reported: readonly ReportedProgress[]; ended: readonly string[] },
): Promise<void> {
  const key = progressKeyOf(namespace, worker);
  if (ended.length > 0) await client.hdel(key, ...ended);
  if (reported.length === 0) return;
  const [seconds = 0] = (await client.time()).map(Number);
  const at = seconds * 1000;
  await client.hset(
    key,
    Object.fromEntries(reported.map(({ attemptId, value }) => [attemptId, JSON.stringify({ at, value })])),
  );
  await client.pexpire(key, LIVES_MS);
}

/** Adds to steps that run what their attempts have reported. `attempts`: their ids, by the view. */
export async function addProgress(
  client: RedisClient,
  namespace: string,
  attempts: ReadonlyMap<StepView, string>,
): Promise<void> {
  const byWorker = Map.groupBy(attempts.keys(), ({ worker = '' }) => worker);
  await Promise.all(
    Array.from(byWorker, async ([worker, steps]) => {
      const ids = steps.map((step) => attempts.get(step) ?? '');
      const stored = await client.hmget(progressKeyOf(namespace, worker), ...ids);
      for (const [index, step] of steps.entries()) {
        const text = stored[index];
        if (text == null) continue;
        const { at, value } = JSON.parse(text) as { at: number; value: Json };
        Object.assign(step, { progress: value, progressAt: at });
      }
    }),
  );
}
