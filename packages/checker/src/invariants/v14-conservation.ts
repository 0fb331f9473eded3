import { placeOf } from '../key-places.ts';
import type { RedisScan, RunListing } from '../recording.ts';
import type { CheckContext, Invariant, Violation } from '../violation.ts';

export const v14: Invariant = {
  id: 'V14',
  title:
    'No run is counted twice or not at all: all runs are those of each status together, in lists, indexes and histories.',
  check: (context) => {
    const { recording, atRest } = context;
    const listing = recording.listings.at(-1);
    const scan = recording.scans.at(-1);
    return [
      ...(listing === undefined ? [] : findWrongLists(listing)),
      ...(listing === undefined || !atRest ? [] : findWrongCounts(listing, context)),
      ...(scan === undefined ? [] : findWrongIndexes(scan)),
    ];
  },
};

const violation = (message: string, ...evidence: object[]): Violation => ({ invariant: 'V14', message, evidence });
const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, number) => total + number, 0);

function findWrongLists({ runs, counts }: RunListing): Violation[] {
  const ids = new Set(runs.map(({ runId }) => runId));
  const found: Violation[] = [];
  if (ids.size !== runs.length) found.push(violation(`${runs.length - ids.size} runs are listed twice`, counts));
  const parts = sum(Object.values(counts));
  if (parts !== ids.size) found.push(violation(`${ids.size} runs are listed, ${parts} by their statuses`, counts));
  return found;
}

/** Beside what the runs say of themselves. */
function findWrongCounts({ runs }: RunListing, { runs: recorded }: CheckContext): Violation[] {
  const listed = new Map(runs.map(({ runId, status }) => [runId, status]));
  return recorded.flatMap(({ runId, record }) => {
    const status = listed.get(runId);
    if (status === record.run.status) return [];
    return [{ ...violation(`the list says ${status ?? 'nothing'}, the run ${record.run.status}`, record.run), runId }];
  });
}

function findWrongIndexes({ keys, namespace }: RedisScan): Violation[] {
  const sizeOf = (wanted: string, isMeant: (id: string) => boolean = () => true) =>
    sum(
      keys
        .filter(({ key }) => {
          const { name = '', id = '', area } = placeOf(key, namespace) ?? {};
          return name === wanted && area === 'partition' && isMeant(id);
        })
        .map(({ size = 0 }) => size),
    );
  const open = (id: string) => /^[nrpe]\|\|$/.test(id);
  const [runs, active, ended] = [sizeOf('runs'), sizeOf('by-facet', open), sizeOf('ended')];
  if (runs === active + ended) return [];
  return [violation(`the index has ${runs} runs, ${active} active and ${ended} ended`)];
}
