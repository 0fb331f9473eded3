/**
 * Flotilla beside BullMQ plain and the one-Lua limit, in interleaved rounds on one Redis: ratios are comparable, absolute
 * times are not (between machines or days). Usage: bench [--rounds N] [--scale X] [--workers N] [--workload chain|fan]
 * [--json]
 */
import { parseArgs } from 'node:util';
import { connectRedis } from '@flotilla/redis';
import { startRedis } from '@flotilla/testing';
import { cpuSeconds } from './process-cost.ts';
import { startFlotilla, startLimit, startPlain, type Target } from './targets.ts';
import { type Workload, workloads } from './workloads.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    scale: { type: 'string', default: '1' },
    workers: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    workload: { type: 'string' },
  },
});

interface Measurement {
  target: string;
  workload: string;
  round: number;
  stepsPerSecond: number;
  cpuSecondsPer1000Steps: number | undefined;
}

/** `BENCH_COMMANDSTATS=1` tells what Redis did in each measurement. */
async function tellCommands(steps: number): Promise<void> {
  const stats = (await client.info('commandstats')).matchAll(/cmdstat_(\S+?):calls=(\d+),usec=(\d+)/g);
  const rows = Array.from(stats, ([, name, calls, microseconds]) => ({
    name,
    calls: Number(calls),
    microseconds: Number(microseconds),
  }));
  for (const { name, calls, microseconds } of rows.toSorted((a, b) => b.microseconds - a.microseconds).slice(0, 12)) {
    process.stderr.write(
      `  ${name}: ${(calls / steps).toFixed(2)} calls and ${(microseconds / steps).toFixed(1)} us a step\n`,
    );
  }
}

const rounds = Number(options.rounds);
const redis = await startRedis({
  args: [
    '--auto-aof-rewrite-percentage',
    '0',
    '--hash-max-listpack-value',
    '512',
    '--hash-max-listpack-entries',
    '256',
  ],
});
const { client } = connectRedis(redis.url, 'commands');
const workers = Number(options.workers);
const targets: Target[] = [];
if (options.only !== 'flotilla') targets.push(await startPlain(redis, workers), await startLimit(redis));
targets.push(await startFlotilla(redis, workers));
const measurements: Measurement[] = [];
const latencies = new Map<string, number[]>();
try {
  const all = workloads(Number(options.scale)).filter(
    ({ name }) => options.workload === undefined || name === options.workload,
  );
  // Runs under 2 s measure the JIT: everything runs once, unmeasured, before the first round.
  for (const target of targets)
    for (const workload of all) await target.run({ ...workload, runs: Math.ceil(workload.runs / 2) });
  for (let round = 1; round <= rounds; round += 1) {
    for (const workload of all) {
      for (const target of targets) measurements.push(await measure(target, workload, round));
    }
    for (const target of targets) {
      const list = latencies.get(target.name) ?? [];
      latencies.set(target.name, list);
      for (let index = 0; index < 50; index += 1) {
        const startedAt = performance.now();
        await target.runOne(all[0]!);
        list.push((performance.now() - startedAt) / all[0]!.stepsPerRun);
      }
    }
  }
} finally {
  await Promise.allSettled(targets.map((target) => target.stop()));
  client.disconnect();
  await redis.stop();
}
report();

async function measure(target: Target, workload: Workload, round: number): Promise<Measurement> {
  const pids = [redis.pid(), ...target.processes.map(({ pid }) => pid)];
  const cpuBefore = cpuSeconds(pids);
  const eachBefore = pids.map((pid) => cpuSeconds([pid]));
  if (process.env['BENCH_COMMANDSTATS']) await client.config('RESETSTAT');
  const startedAt = performance.now();
  await target.run(workload);
  const seconds = (performance.now() - startedAt) / 1000;
  const steps = workload.runs * workload.stepsPerRun;
  const cpuAfter = cpuSeconds(pids);
  if (process.env['BENCH_COMMANDSTATS']) {
    await tellCommands(steps);
    const each = pids.map((pid, index) => (((cpuSeconds([pid]) ?? 0) - (eachBefore[index] ?? 0)) / steps) * 1e6);
    process.stderr.write(`  processor us a step: ${each.map((us) => us.toFixed(0)).join(' ')} (Redis first)\n`);
  }
  const cpu = cpuBefore === undefined || cpuAfter === undefined ? undefined : ((cpuAfter - cpuBefore) / steps) * 1000;
  process.stderr.write(
    `round ${round} ${workload.name} ${target.name}: ${Math.round(steps / seconds)} steps/s in ${seconds.toFixed(1)} s\n`,
  );
  return {
    target: target.name,
    workload: workload.name,
    round,
    stepsPerSecond: steps / seconds,
    cpuSecondsPer1000Steps: cpu,
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function report(): void {
  const base = 'BullMQ plain';
  const lines = [
    '| workload | target | steps/s (median) | x plain (median of rounds) | CPU s a 1000 steps |',
    '|---|---|--:|--:|--:|',
  ];
  for (const workload of new Set(measurements.map((entry) => entry.workload))) {
    for (const { name } of targets) {
      const own = measurements.filter((entry) => entry.workload === workload && entry.target === name);
      const ratios = own.map(({ round, stepsPerSecond }) => {
        const plain = measurements.find(
          (entry) => entry.round === round && entry.workload === workload && entry.target === base,
        );
        return stepsPerSecond / (plain?.stepsPerSecond ?? Number.NaN);
      });
      const cpu = median(own.map(({ cpuSecondsPer1000Steps }) => cpuSecondsPer1000Steps ?? Number.NaN));
      const steps = Math.round(median(own.map(({ stepsPerSecond }) => stepsPerSecond)));
      lines.push(`| ${workload} | ${name} | ${steps} | ${median(ratios).toFixed(2)} | ${cpu.toFixed(3)} |`);
    }
  }
  lines.push('', '| target | latency of a chain, ms a step p50 | p99 |', '|---|--:|--:|');
  for (const [name, list] of latencies) {
    const sorted = list.toSorted((a, b) => a - b);
    lines.push(`| ${name} | ${median(list).toFixed(2)} | ${sorted[Math.floor(sorted.length * 0.99)]!.toFixed(2)} |`);
  }
  const json = JSON.stringify({ measurements, latencies: Object.fromEntries(latencies) }, null, 2);
  process.stdout.write(options.json ? `${json}\n` : `${lines.join('\n')}\n`);
}
