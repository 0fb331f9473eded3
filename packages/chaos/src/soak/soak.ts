/**
 * Works a fleet of its own for a long time at half of what it can do, disturbs it now and then, and measures what grows. Usage:
 * soak [--minutes M] [--seed S] [--faults F1,F6,F12] [--workers N] [--schedulers N] [--leak-bytes-a-run N] [--keep FOLDER] [--json]
 * Ends with 0 when nothing grows and nothing was wrong, 1 when something was, 2 when it was called wrongly.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { readFaultList } from '../driver/fault-table.ts';
import { chanceOf } from '../random.ts';
import { resultsFolder } from '../results-folder.ts';
import { jsonOf, keep, reportOf, textOf } from './report.ts';
import { runSoak } from './run-soak.ts';

const LEAST_WORKERS = 3;

const { values: given } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string' },
    faults: { type: 'string', default: 'F1,F6,F12' },
    workers: { type: 'string', default: '3' },
    schedulers: { type: 'string', default: '2' },
    'leak-bytes-a-run': { type: 'string', default: '0' },
    keep: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const tell = (line: string) => process.stderr.write(`soak: ${line}\n`);
const { ids: faults, unknown } = readFaultList(given.faults);
if (unknown.length > 0) wrongly(`no such faults: ${unknown.join(', ')}`);
if (Number(given.workers) < LEAST_WORKERS) {
  wrongly(
    `a soak takes at least ${LEAST_WORKERS} workers: one is spared, and of the others one must work when one is hit`,
  );
}
const { seed } = chanceOf(given.seed === undefined ? undefined : Number(given.seed));
tell(`seed ${seed}, faults ${faults.join(' ')}, ${given.minutes} minutes`);
const result = await runSoak({
  seed,
  faults,
  durationMs: Number(given.minutes) * 60_000,
  workers: Number(given.workers),
  schedulers: Number(given.schedulers),
  leakBytesARun: Number(given['leak-bytes-a-run']),
  tell,
});
const report = reportOf(result, availableParallelism());
const folder = given.keep ?? resultsFolder(`soak-${seed}-${Date.now()}`);
keep(folder, report);
tell(`samples, chart and report are in ${folder}`);
process.stdout.write(given.json ? `${JSON.stringify(jsonOf(report, folder), null, 2)}\n` : `\n${textOf(report)}`);
// Whatever a fault has left open ends with this process.
process.exit(report.wrong.length === 0 ? 0 : 1);

function wrongly(message: string): never {
  tell(message);
  process.exit(2);
}
