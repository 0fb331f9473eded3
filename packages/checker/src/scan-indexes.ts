import { placeOf } from './key-places.ts';
import type { ScannedIndexes, ScannedRun } from './recording.ts';
import type { SendCommand } from './scan-redis.ts';

/** Sets of runs. */
const INDEXES: ReadonlySet<string> = new Set([
  ...['runs', 'by-workflow', 'by-tag', 'by-facet', 'waiting', 'error-runs', 'ids'],
]);
/** A larger deployment is not compared: it would take longer than a test may. */
const MAX_RUNS = 20_000;
const ENDED = /^[SFCT]/;

/** The sets of runs of one server, and what its runs say of themselves. Undefined when there are too many. */
export async function scanIndexes(
  send: SendCommand,
  keys: readonly string[],
  namespace: string,
): Promise<ScannedIndexes | undefined> {
  const runKeys = keys.filter((key) => placeOf(key, namespace)?.name === 'run');
  if (runKeys.length > MAX_RUNS) return undefined;
  const setKeys = keys.filter((key) => INDEXES.has(placeOf(key, namespace)?.name ?? ''));
  const sets: ScannedIndexes['sets'][number][] = [];
  for (const key of setKeys) sets.push({ key, members: (await send('ZRANGE', key, '0', '-1')) as string[] });
  const runs: ScannedRun[] = [];
  for (const key of runKeys) {
    const run = await scanRun(send, key);
    if (run !== undefined) runs.push(run);
  }
  return { sets, runs };
}

async function scanRun(send: SendCommand, key: string): Promise<ScannedRun | undefined> {
  const fields = ['m', 'w', 't', 'Y', 'E'];
  const [meta, workflow, tags, storedWaits, errors] = (await send('HMGET', key, ...fields)) as (string | null)[];
  if (meta == null) return undefined;
  const [letter = '', , live = '0'] = meta.split('|');
  const at = key.indexOf('r:');
  return {
    partition: key.slice(0, at),
    runId: key.slice(at + 2),
    letter,
    live: Number(live),
    workflow: workflow ?? '',
    tags: JSON.parse(tags ?? '[]') as string[],
    waits: ENDED.test(letter) ? {} : countWaits(await headersOf(send, key), letter),
    storedWaits: storedWaits ?? '',
    errors: (errors ?? '').split(',').filter((fingerprint) => fingerprint !== ''),
  };
}

/** By step key. */
async function headersOf(send: SendCommand, key: string): Promise<Map<string, string>> {
  const headers = new Map<string, string>();
  let cursor = '0';
  do {
    const reply = (await send('HSCAN', key, cursor, 'MATCH', 's*', 'COUNT', '1000')) as [string, string[]];
    cursor = reply[0];
    for (let index = 0; index < reply[1].length; index += 2) {
      headers.set(reply[1][index]?.slice(1) ?? '', reply[1][index + 1] ?? '');
    }
  } while (cursor !== '0');
  return headers;
}

/** Of an active run the steps count, of one that is ending (`e`) the cleanups, of one that is being reopened (`a`) nothing. */
function countWaits(headers: ReadonlyMap<string, string>, letter: string): Record<string, number> {
  const waits: Record<string, number> = {};
  for (const [key, header] of headers) {
    if (letter === 'a' || key.includes('!') !== (letter === 'e')) continue;
    const parts = header.split('|');
    const reason = { B: 'backing-off', D: 'delay', P: parts[9], W: waitOutside(parts) }[parts[0] ?? ''];
    if (reason) waits[reason] = (waits[reason] ?? 0) + 1;
  }
  return waits;
}

/** Of a step that waits for something from outside its run: what, unless it has been answered. */
function waitOutside([, , , , , , , , , , kind, subject, answer]: readonly string[]): string | undefined {
  if (answer !== '' || kind === 'loop') return undefined;
  return kind === 'signal' ? `signal:${subject}` : kind === 'workflow' ? 'child-run' : kind;
}
