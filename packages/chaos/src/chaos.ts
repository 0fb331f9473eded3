/**
 * Works a fleet of its own, disturbs it and checks what it did. Usage:
 * chaos [--minutes M | --runs R [--minutes M]] [--seed S] [--faults F1,F3,…] [--without SAFEGUARD] [--workers N]
 *   [--schedulers N] [--keep FOLDER] [--json]
 * Ends with 0 when every fault hit and nothing was wrong, 1 when something was, 2 when it was called wrongly. Without a
 * safeguard: 0 when the checks found what it prevents, 1 when they did not.
 */
import { parseArgs } from 'node:util';
import {
  FAULT_IDS,
  type FaultId,
  MIXES,
  readFaultList,
  SHORT_RUNS_BEGIN_WITH,
  SHORT_RUNS_MIX,
} from './driver/fault-table.ts';
import { findFaketime } from './driver/inject/clock-faults.ts';
import { isClean, jsonOf, keep, textOf } from './driver/report.ts';
import { runChaos } from './driver/run-chaos.ts';
import { findNotBroken, SAFEGUARDS } from './driver/safeguards.ts';
import { shortGraph } from './graphs/short-graphs.ts';
import { chanceOf } from './random.ts';
import { resultsFolder } from './results-folder.ts';

/** Few enough at a time for two processor cores, and for every fault to meet some of them. */
const SHORT_RUNS = { activeRuns: 100, runsPerSecond: 16, inBatches: true, graphOf: shortGraph };

const { values: given } = parseArgs({
  options: {
    minutes: { type: 'string' },
    runs: { type: 'string' },
    without: { type: 'string' },
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
const without = chosenSafeguard();
const minutes = Number(given.minutes ?? (given.runs === undefined ? 3 : 30));
tell(`seed ${seed}, faults ${faults.join(' ')}${without === undefined ? '' : `, without the ${without}`}`);
const result = await runChaos({
  seed,
  faults,
  // What was asked for by name has to come; of all that there are, as many as there is time for.
  mustCome: given.faults === undefined ? [] : faults,
  durationMs: minutes * 60_000,
  ...(given.runs === undefined
    ? {}
    : { acceptedRuns: Number(given.runs), load: SHORT_RUNS, beginWith: SHORT_RUNS_BEGIN_WITH }),
  ...(without === undefined ? {} : { without }),
  workers: Number(given.workers),
  schedulers: Number(given.schedulers),
  tell,
});
const clean = isClean(result);
const folder = given.keep ?? (clean ? undefined : resultsFolder(`${seed}-${Date.now()}`));
if (folder !== undefined) {
  keep(folder, result);
  tell(`recording, logs and report are in ${folder}`);
}
process.stdout.write(given.json ? `${JSON.stringify(jsonOf(result, folder), null, 2)}\n` : `\n${textOf(result)}`);
const notBroken = without === undefined ? [] : findNotBroken(without, result.violations);
if (without !== undefined) {
  const missed = notBroken.length === 0 ? '' : `; NOT FOUND: ${notBroken.join(', ')}, which it prevents`;
  tell(`without the ${without} the checks found ${result.violations.length} violations${missed}`);
} else if (!clean) {
  const runs = given.runs === undefined ? '' : ` --runs ${given.runs}`;
  // Faults that are named have to come, whatever the plan: those that nobody named are not named here.
  const named = given.faults === undefined ? '' : ` --faults ${given.faults}`;
  tell(`not clean; the same again: ./flotilla chaos --seed ${seed} --minutes ${minutes}${runs}${named}`);
}
const asExpected = without === undefined ? clean : notBroken.length === 0;
// Whatever a fault has left open ends with this process.
process.exit(asExpected ? 0 : 1);

/** What cannot be made on this machine is left out when nobody has asked for it by name. */
function chosenFaults(): FaultId[] {
  const { ids, unknown } = readFaultList(
    given.faults ?? (given.runs === undefined ? undefined : SHORT_RUNS_MIX.join()),
  );
  if (unknown.length > 0) {
    tell(`no such faults: ${unknown.join(', ')}; there are ${[...FAULT_IDS, ...Object.keys(MIXES)].join(' ')}`);
    process.exit(2);
  }
  if (!ids.includes('F19') || findFaketime() !== undefined) return ids;
  tell('F19 IS LEFT OUT: libfaketime is not installed (Debian: apt-get install faketime)');
  return ids.filter((id) => id !== 'F19');
}

function chosenSafeguard() {
  const found = SAFEGUARDS.find((safeguard) => safeguard === given.without);
  if (given.without === undefined || found !== undefined) return found;
  tell(`there is no safeguard ${given.without}; there are ${SAFEGUARDS.join(', ')}`);
  process.exit(2);
}
