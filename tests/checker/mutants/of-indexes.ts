import type { Chance } from '@flotilla/chaos';
import { type DraftRecording, type Mutant, pickFrom } from './mutant.ts';

const indexesOf = ({ scans }: DraftRecording) => {
  const indexes = scans.at(-1)?.indexes;
  if (indexes === undefined) throw new Error('the recording has no indexes');
  return indexes;
};

const setsLike = (recording: DraftRecording, chance: Chance, pattern: RegExp) =>
  pickFrom(
    chance,
    indexesOf(recording).sets.filter(({ key, members }) => pattern.test(key) && members.length > 0),
    `set like ${pattern}`,
  );

const forget = (name: string, pattern: RegExp): Mutant => ({
  name,
  mutate(recording, chance) {
    setsLike(recording, chance, pattern).members.pop();
  },
});

/** As if a transition had not moved a run from one set to the other. */
const stay = (name: string, set: (workflow: string) => string): Mutant => ({
  name,
  mutate(recording, chance) {
    const { runs, sets } = indexesOf(recording);
    const { partition, runId, workflow } = pickFrom(
      chance,
      runs.filter(({ letter }) => letter === 'S'),
      'succeeded run',
    );
    const key = partition + set(workflow);
    const known = sets.find((found) => found.key === key);
    if (known === undefined) sets.push({ key, members: [runId] });
    else known.members.push(runId);
  },
});

export const V20: readonly Mutant[] = [
  forget('a run is missing from the set of its status', /:x:[A-Za-z]\|\|$/),
  forget('a run is missing from the set of its status and workflow', /:x:[A-Za-z]\|[^|]+\|$/),
  forget('a run cannot be found by the ids of its attempts', /:ids$/),
  forget('a run is missing from the runs of an error', /:f:/),
  stay('an ended run is still in the set of the running ones', () => 'x:r||'),
  stay('an ended run still waits for a breaker', () => 'y:breaker:payments'),
  stay('an ended run is still queued', () => 'y:queued'),
  {
    name: 'a run that has ended says that steps of it wait',
    mutate(recording, chance) {
      pickFrom(chance, indexesOf(recording).runs, 'scanned run').storedWaits = 'backing-off=1';
    },
  },
];
