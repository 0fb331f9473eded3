/**
 * Flotilla beside BullMQ plain and the one-Lua limit, in interleaved rounds on one Redis: ratios are comparable, absolute
 * times are not (between machines or days). `flotilla bench` starts this with a `BenchRequest` as JSON.
 */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { findRedisServer } from '@flotilla/local-fleet';
import { append } from './measuring/sample.ts';
import type { BenchOptions, BenchRequest, BenchWorkload } from './options.ts';
import {
  type Baseline,
  BaselineProblem,
  dropsBelow,
  missingFrom,
  readBaseline,
  settingsOf,
  TOLERANCE,
  tellDrop,
  writeBaseline,
} from './reporting/baseline.ts';
import { Figures } from './reporting/figures.ts';
import { describeMachine, loadOfLastMinute, type Machine, machineLine } from './reporting/machine.ts';
import { ratioChart } from './reporting/ratio-chart.ts';
import { report } from './reporting/tables.ts';
import { runSuite } from './suite.ts';

const EXIT = { ok: 0, slower: 1, badUsage: 2 } as const;
const tell = (line: string) => void process.stderr.write(`${line}\n`);

const { options, command } = JSON.parse(process.argv[2] ?? '') as BenchRequest;
process.exitCode = await main(options);

async function main({ workload, rounds, baseline, updateBaseline }: BenchOptions): Promise<number> {
  const kept = baseline === undefined || updateBaseline ? undefined : await usableBaseline(baseline);
  if (kept === 'unusable') return EXIT.badUsage;
  const loadBefore = loadOfLastMinute();
  const figures = new Figures(await runSuite(options, workload, roundNumbers(1, rounds), tell));
  const suspects = kept === undefined ? [] : suspectWorkloads(kept, figures);
  if (suspects.length > 0) {
    tell(`${suspects.join(', ')} below the baseline: measured again, to tell a slower program from a busy machine`);
    append(figures.samples, await runSuite(options, suspects, roundNumbers(rounds + 1, rounds), tell));
  }
  const machine = describeMachine(redisVersion(), loadBefore);
  await publish(figures, machine);
  if (baseline !== undefined && updateBaseline) {
    await writeBaseline(baseline, { measured: machine.date, settings: settingsOf(options), ratios: figures.ratios() });
    tell(`kept the ratios in ${baseline}`);
  }
  return kept === undefined ? EXIT.ok : judge(kept, figures);
}

async function usableBaseline(file: string): Promise<Baseline | 'unusable'> {
  try {
    return await readBaseline(file, settingsOf(options));
  } catch (error) {
    if (!(error instanceof BaselineProblem)) throw error;
    tell(`flotilla: ${error.message}`);
    return 'unusable';
  }
}

function roundNumbers(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

/** Of the wanted workloads those that a ratio below the baseline belongs to. */
function suspectWorkloads(kept: Baseline, figures: Figures): BenchWorkload[] {
  const drops = dropsBelow(kept, figures.ratios());
  return options.workload.filter((name) => drops.some((drop) => drop.name.startsWith(name)));
}

function judge(kept: Baseline, figures: Figures): number {
  const drops = dropsBelow(kept, figures.ratios());
  const missing = missingFrom(kept, figures.ratios(), options.workload);
  for (const drop of drops) tell(`flotilla: ${tellDrop(drop)}`);
  // What cannot be compared is not as fast as it was.
  for (const name of missing) tell(`flotilla: ${name} is in the baseline and was not measured`);
  if (drops.length + missing.length > 0) return EXIT.slower;
  tell(`no ratio is more than ${TOLERANCE * 100} % below the baseline of ${kept.measured}`);
  return EXIT.ok;
}

async function publish(figures: Figures, machine: Machine): Promise<void> {
  if (options.chart !== undefined) await writeFile(options.chart, ratioChart(figures, machine));
  if (options.json) {
    const document = { machine, settings: options, ratios: figures.ratios(), ...figures.samples };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
    return;
  }
  process.stdout.write(`${machineLine(machine, options, command)}\n\n${report(figures, options)}\n`);
}

function redisVersion(): string {
  const libraries = process.env['FLOTILLA_REDIS_LIBRARY_PATH'];
  const env = { ...process.env, ...(libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries }) };
  const answer = execFileSync(findRedisServer() ?? 'redis-server', ['--version'], { encoding: 'utf8', env });
  return /v=(\S+)/.exec(answer)?.[1] ?? answer.trim();
}
