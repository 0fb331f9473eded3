import type { Target } from '../targets/target.ts';
import type { Bench } from './bench.ts';
import { cpuSeconds, watchMemory } from './process-cost.ts';
import { costliestCommands, difference, redisCounters } from './redis-cost.ts';
import { rateOf, type Sample } from './sample.ts';

/** Does the work once and tells what it took. */
export async function measure(
  bench: Bench,
  target: Target,
  what: Pick<Sample, 'workload' | 'round' | 'unit' | 'count'>,
  work: () => Promise<void>,
): Promise<Sample> {
  const { client, redis, options, tell } = bench;
  const processes = [{ role: 'redis' as const, pid: redis.pid() }, ...target.processes()];
  const pids = processes.map(({ pid }) => pid);
  if (options.commandStats) await client.config('RESETSTAT');
  const redisBefore = await redisCounters(client);
  const cpuBefore = pids.map((pid) => cpuSeconds([pid]));
  const memory = watchMemory(processes);
  const loaderBefore = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const loader = process.cpuUsage(loaderBefore);
  const peakMemoryBytes = memory.stop();
  const cpuEach = pids.map((pid, index) => (cpuSeconds([pid]) ?? Number.NaN) - (cpuBefore[index] ?? Number.NaN));
  const cpu = cpuEach.reduce((sum, each) => sum + each, 0);
  const sample: Sample = {
    ...what,
    target: target.name,
    seconds,
    cpuSeconds: Number.isNaN(cpu) ? undefined : cpu,
    loaderCpuSeconds: (loader.user + loader.system) / 1e6,
    redis: difference(await redisCounters(client), redisBefore),
    peakMemoryBytes,
  };
  await target.check();
  tell(
    `round ${what.round} ${what.workload} ${target.name}: ${Math.round(rateOf(sample))} ${what.unit}/s in ${seconds.toFixed(2)} s`,
  );
  if (options.commandStats) {
    for (const line of await costliestCommands(client, what.count)) tell(line);
    const each = processes.map(({ role }, index) => `${role} ${((cpuEach[index]! / what.count) * 1e6).toFixed(0)}`);
    tell(`  processor us a ${what.unit.slice(0, -1)}: ${each.join(', ')}`);
  }
  return sample;
}
