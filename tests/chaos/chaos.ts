/**
 * Works a fleet of its own, disturbs it and checks what it did. Usage:
 * chaos [--minutes M] [--seed S] [--faults F1,F3,…] [--workers N] [--schedulers N] [--keep FOLDER] [--json]
 * Ends with 0 when every fault hit and nothing was wrong, 1 when something was, 2 when it was called wrongly.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FAULT_IDS, type FaultId, MIXES, readFaultList } from './driver/fault-table.ts';
import { findFaketime } from './driver/inject/clock-faults.ts';
import { isClean, jsonOf, keep, textOf } from './driver/report.ts';
import { runChaos } from './driver/run-chaos.ts';
import { chanceOf } from './random.ts';

const { values: given } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string' },
    faults: { type: 'string' },
    workers: { type: 'string', default: '3' },
    schedulers: { type: 'string', default: '2' },
    keep: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const tell = (line: string) => process.stderr.write(`chaos: ${line}\n`);
const { seed } = chanceOf(given.seed === undefined ? undefined : Number(given.seed));
const faults = chosenFaults();
tell(`seed ${seed}, faults ${faults.join(' ')}`);
const result = await runChaos({
  seed,
  faults,
  durationMs: Number(given.minutes) * 60_000,
  workers: Number(given.workers),
  schedulers: Number(given.schedulers),
  tell,
});
const clean = isClean(result);
const project = fileURLToPath(new URL('../..', import.meta.url));
const folder = given.keep ?? (clean ? undefined : join(project, '.flotilla', 'chaos', `${seed}-${Date.now()}`));
if (folder !== undefined) {
  keep(folder, result);
  tell(`recording, logs and report are in ${folder}`);
}
process.stdout.write(given.json ? `${JSON.stringify(jsonOf(result, folder), null, 2)}\n` : `\n${textOf(result)}`);
if (!clean)
  tell(`not clean; the same again: ./flotilla chaos --seed ${seed} --minutes ${given.minutes} --faults ${faults}`);
// Whatever a fault has left open ends with this process.
process.exit(clean ? 0 : 1);

/** What cannot be made on this machine is left out when nobody has asked for it by name. */
function chosenFaults(): FaultId[] {
  const { ids, unknown } = readFaultList(given.faults);
  if (unknown.length > 0) {
    tell(`no such faults: ${unknown.join(', ')}; there are ${[...FAULT_IDS, ...Object.keys(MIXES)].join(' ')}`);
    process.exit(2);
  }
  if (!ids.includes('F19') || findFaketime() !== undefined) return ids;
  tell('F19 IS LEFT OUT: libfaketime is not installed (Debian: apt-get install faketime)');
  return ids.filter((id) => id !== 'F19');
}
