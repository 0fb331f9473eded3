import type { RedisClient } from '@flotilla/redis';
import { stateKey } from './keys.ts';
import { readRedisTime } from './redis-time.ts';

export interface Waits {
  /** Redis' clock. */
  now: number;
  /** By `letter|step key`: when the timer is due. */
  timers: ReadonlyMap<string, number>;
  /** By worker: when its lease ends. */
  leases: ReadonlyMap<string, number>;
}

/** When timers of a run's steps are due and leases of workers end; what is not there is left out. In one round trip. */
export async function readWaits(
  client: RedisClient,
  { tag, runId }: { tag: string; runId: string },
  timers: readonly string[],
  workers: readonly string[],
): Promise<Waits> {
  const members = timers.map((timer) => `${timer}|${runId}`);
  const [now, due, ends] = await Promise.all([
    readRedisTime(client),
    members.length === 0 ? [] : client.zmscore(stateKey(tag, 'due'), ...members),
    workers.length === 0 ? [] : client.zmscore(stateKey(tag, 'workers'), ...workers),
  ]);
  return {
    now,
    timers: present(timers, due),
    leases: present(workers, ends),
  };
}

function present(names: readonly string[], scores: readonly (string | number | null)[]): Map<string, number> {
  return new Map(names.flatMap((name, index) => (scores[index] == null ? [] : [[name, Number(scores[index])]])));
}
