import type { RedisClient } from '@flotilla/redis';
import { stateKey } from '@flotilla/state';

/** What Redis holds of one partition. */
export interface ObservedPartition {
  outbox: { id: string; lines: string[] }[];
  due: Map<string, number>;
  lease: Map<string, number>;
  workers: Map<string, number>;
  cancels: string[];
  runs: string[];
  ended: string[];
  dead: string[];
  unclean: string[];
}

/** What Redis holds of one run: its hash as it is, the lines of its history from `from` on, and the steps held back. */
export interface ObservedRun {
  fields: Record<string, string>;
  historyLength: number;
  held: string[];
  /** Steps that failed for good. */
  deadLetters: string[];
}

export async function redisTime(client: RedisClient): Promise<number> {
  const [seconds, micros] = await client.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

export async function observePartition(client: RedisClient, tag: string): Promise<ObservedPartition> {
  const scores = async (suffix: 'due' | 'lease' | 'workers') =>
    toScores(await client.zrange(stateKey(tag, suffix), '0', '-1', 'WITHSCORES'));
  const members = (suffix: 'cancels' | 'runs' | 'ended' | 'dead' | 'failedCleanups') =>
    client.zrange(stateKey(tag, suffix), '0', '-1');
  const [entries, due, lease, workers, cancels, runs, ended, dead, unclean] = await Promise.all([
    client.xrange(stateKey(tag, 'outbox'), '-', '+'),
    scores('due'),
    scores('lease'),
    scores('workers'),
    members('cancels'),
    members('runs'),
    members('ended'),
    members('dead'),
    members('failedCleanups'),
  ]);
  const outbox = entries.map(([id, fields]) => ({ id, lines: (fields[1] ?? '').split('\n') }));
  return { outbox, due, lease, workers, cancels, runs, ended, dead, unclean };
}

export async function observeRun(client: RedisClient, tag: string, runId: string): Promise<ObservedRun> {
  const [fields, historyLength, held, deadLetters] = await Promise.all([
    client.hgetall(stateKey(tag, 'run', runId)),
    client.llen(stateKey(tag, 'history', runId)),
    client.smembers(stateKey(tag, 'paused', runId)),
    client.zrange(stateKey(tag, 'deadLetters', runId), '0', '-1'),
  ]);
  return { fields, historyLength, held, deadLetters };
}

function toScores(reply: readonly string[]): Map<string, number> {
  const scores = new Map<string, number>();
  for (let index = 0; index < reply.length; index += 2) scores.set(reply[index]!, Number(reply[index + 1]));
  return scores;
}
