import type { ScannedIndexes, ScannedRun } from '../recording.ts';
import type { Invariant, Violation } from '../violation.ts';

/** Letters that users see as another status. */
const SHOWN_AS: Readonly<Record<string, string>> = { a: 'n' };
/** A partition keeps so many error groups: beyond, sets of runs are forgotten. */
const MAX_ERROR_GROUPS = 500;

export const v20: Invariant = {
  id: 'V20',
  title:
    'At rest the sets that lists and counts read have the runs that a scan of all runs says: by status, workflow, tag, reason for waiting and error.',
  check: ({ recording, atRest }) => {
    const indexes = recording.scans.at(-1)?.indexes;
    if (indexes === undefined || !atRest) return [];
    return [...compareSets(indexes), ...compareCounts(indexes)];
  },
};

function compareSets({ sets, runs }: ScannedIndexes): Violation[] {
  const expected = expectedSets(runs);
  const found = new Map(sets.map(({ key, members }) => [key, members]));
  const groups = new Set([...expected.keys()].filter((key) => key.includes('}:f:')));
  return [...new Set([...expected.keys(), ...found.keys()])].sort().flatMap((key) => {
    if (key.includes('}:f:') && groups.size >= MAX_ERROR_GROUPS) return [];
    const wanted = expected.get(key) ?? new Set();
    const members = new Set(found.get(key) ?? []);
    const missing = [...wanted].filter((runId) => !members.has(runId));
    const extra = [...members].filter((runId) => !wanted.has(runId));
    return [
      ...missing.map((runId) => `${runId} is not in ${key}`),
      ...extra.map((runId) => `${runId} is in ${key}`),
    ].map(
      (message): Violation => ({
        invariant: 'V20',
        message,
        evidence: runs.filter((run) => message.startsWith(run.runId)),
      }),
    );
  });
}

function compareCounts({ runs }: ScannedIndexes): Violation[] {
  return runs.flatMap((run) => {
    const waits = Object.entries(run.waits).map(([reason, count]) => `${reason}=${count}`);
    const said = waits.sort().join(';');
    if (said === run.storedWaits) return [];
    const message = `${run.runId} says that it waits for "${run.storedWaits}", its steps say "${said}"`;
    return [{ invariant: 'V20', runId: run.runId, message, evidence: [run] }];
  });
}

function expectedSets(runs: readonly ScannedRun[]): Map<string, Set<string>> {
  const sets = new Map<string, Set<string>>();
  for (const run of runs) {
    for (const name of [...setsOfLabels(run), ...setsOfWaits(run), ...run.errors.map((error) => `f:${error}`)]) {
      const key = run.partition + name;
      const set = sets.get(key) ?? new Set();
      sets.set(key, set.add(run.runId));
    }
  }
  return sets;
}

function setsOfLabels({ letter, workflow, tags }: ScannedRun): string[] {
  const status = SHOWN_AS[letter] ?? letter;
  const ofAll = ['runs', 'ids', `w:${workflow}`, `x:${status}||`];
  const ofTags = tags.flatMap((tag) => [`t:${tag}`, `x:|${workflow}|${tag}`]);
  if (!/[SFCT]/.test(letter)) return [...ofAll, ...ofTags];
  const ended = tags.flatMap((tag) => [`x:${status}||${tag}`, `x:${status}|${workflow}|${tag}`]);
  return [...ofAll, ...ofTags, `x:${status}|${workflow}|`, ...ended];
}

function setsOfWaits({ letter, live, waits }: ScannedRun): string[] {
  const reasons = Object.keys(waits);
  const kinds = reasons.flatMap((reason) => (reason.includes(':') ? [reason.slice(0, reason.indexOf(':'))] : []));
  const isQueued = letter === 'r' && live === 0 && reasons.length === 0;
  return [...new Set([...reasons, ...kinds, ...(isQueued ? ['queued'] : [])])].map((reason) => `y:${reason}`);
}
