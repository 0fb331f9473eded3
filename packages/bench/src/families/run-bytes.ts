import { partitionTag } from '@flotilla/state';
import { type Bench, withBench } from '../measuring/bench.ts';
import { redisCounters } from '../measuring/redis-cost.ts';
import { noSamples, type RunBytes } from '../measuring/sample.ts';
import { NAMESPACE } from '../targets/flotilla-target.ts';
import type { Graph } from '../targets/graphs.ts';
import { type Target, until } from '../targets/target.ts';
import type { Family } from './family.ts';

/** Nine steps that do nothing have committed and the tenth is under way: the most that an active run of ten holds. */
const GRAPH: Graph = { kind: 'chain', steps: 10, stepMs: 0, lastStepMs: 4000 };
const RUNS = 200;

/** What Redis holds for an active run. The limit holds nothing but a string in a list and is left out. */
export const runBytes: Family = {
  workloads: ['run-bytes'],
  measure: ({ options, rounds, tell }) =>
    withBench(options, { targets: ['plain', 'flotilla'], workers: 1, slots: RUNS }, tell, async (bench) => {
      const found = noSamples();
      for (const target of bench.targets) {
        await target.prepare(GRAPH);
        // Connections, scripts and the indexes of the first runs are not of one run.
        await target.run(GRAPH, RUNS);
        for (const round of rounds) found.runBytes.push(await bytesOf(bench, target, round));
      }
      return found;
    }),
};

async function bytesOf({ client, tell }: Bench, target: Target, round: number): Promise<RunBytes> {
  const keysBefore = new Set(await runKeys(client));
  const before = (await redisCounters(client)).memoryBytes;
  const ended = target.run(GRAPH, RUNS);
  await quiet(client);
  const after = (await redisCounters(client)).memoryBytes;
  const keys = (await runKeys(client)).filter((key) => !keysBefore.has(key));
  let own = 0;
  for (const key of keys) own += Number((await client.memory('USAGE', key, 'SAMPLES', 0)) ?? 0);
  await ended;
  const found = {
    target: target.name,
    round,
    ownKeys: keys.length === 0 ? undefined : own / RUNS,
    allKeys: (after - before) / RUNS,
  };
  tell(
    `round ${round} run-bytes ${target.name}: ${Math.round(found.allKeys)} bytes a run, ${keys.length} keys of runs`,
  );
  return found;
}

/** Waits until runs have begun and nothing but polls and leases has come for half a second: all runs wait in the last step. */
async function quiet(client: Bench['client']): Promise<void> {
  let last = await redisCounters(client);
  let begun = false;
  let calm = 0;
  await until(
    async () => {
      const now = await redisCounters(client);
      const busy = now.inBytes - last.inBytes > 40_000;
      begun ||= busy;
      calm = busy ? 0 : calm + 1;
      last = now;
      return begun && calm >= 5;
    },
    100,
    'the runs to wait in their last step',
  );
}

async function runKeys(client: Bench['client']): Promise<string[]> {
  const prefix = partitionTag(NAMESPACE, 0).replace('00', '??');
  const keys: string[] = [];
  for (const kind of ['r:', 'h:']) {
    let cursor = '0';
    do {
      const [next, found] = (await client.call('SCAN', cursor, 'MATCH', `${prefix}${kind}*`, 'COUNT', 5000)) as [
        string,
        string[],
      ];
      keys.push(...found);
      cursor = next;
    } while (cursor !== '0');
  }
  return keys;
}
