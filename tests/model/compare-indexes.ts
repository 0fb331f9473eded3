import assert from 'node:assert/strict';
import type { RedisClient } from '@flotilla/redis';
import type { Reference } from './reference/reference.ts';
import type { ReferenceRun } from './reference/reference-run.ts';

const STATUS_LETTERS: Record<ReferenceRun['status'], string> = {
  pending: 'n',
  reopening: 'n',
  running: 'r',
  paused: 'p',
  cancelling: 'e',
  succeeded: 'S',
  failed: 'F',
  cancelled: 'C',
  'timed-out': 'T',
};

/** How many steps of a run wait for what; of one that is ending its cleanups. */
function waitsOf(run: ReferenceRun): Map<string, number> {
  const waits = new Map<string, number>();
  for (const [key, { state, reason }] of run.steps) {
    const counts = key.includes('!') ? run.status === 'cancelling' : run.isActive;
    const waitsFor =
      state === 'backing-off' ? state : state === 'delaying' ? 'delay' : state === 'parked' ? reason : '';
    if (counts && waitsFor) waits.set(waitsFor, (waits.get(waitsFor) ?? 0) + 1);
  }
  return waits;
}

/** The field `Y` of a run's hash. */
export function waitsField(run: ReferenceRun): string | undefined {
  const waits = [...waitsOf(run)].map(([reason, count]) => `${reason}=${count}`);
  return waits.length === 0 ? undefined : waits.sort().join(';');
}

/** The sets that lists and counts read, by suffix of their key: what follows from the runs alone. */
function expectedSets(runs: readonly ReferenceRun[]): Map<string, string[]> {
  const sets = new Map<string, string[]>();
  const add = (name: string, run: ReferenceRun) => sets.set(name, [...(sets.get(name) ?? []), run.id].sort());
  for (const run of runs) {
    const workflow = run.plan.definition.name;
    const status = STATUS_LETTERS[run.status];
    add(`x:${status}||`, run);
    if (run.isTerminal) add(`x:${status}|${workflow}|`, run);
    for (const tag of run.tags) {
      add(`t:${tag}`, run);
      add(`x:|${workflow}|${tag}`, run);
      if (run.isTerminal) add(`x:${status}||${tag}`, run);
      if (run.isTerminal) add(`x:${status}|${workflow}|${tag}`, run);
    }
    add(`w:${workflow}`, run);
    add('ids', run);
    const waits = [...waitsOf(run).keys()];
    const kinds = waits.filter((reason) => reason.includes(':')).map((reason) => reason.split(':')[0]!);
    for (const reason of new Set([...waits, ...kinds])) add(`y:${reason}`, run);
    if (run.status === 'running' && run.live === 0 && waits.length === 0) add('y:queued', run);
  }
  return sets;
}

/** What has been looked at before: a set that is not expected any more must be empty. */
export type SeenSets = Map<string, Set<string>>;

export async function compareIndexes(
  client: RedisClient,
  reference: Reference,
  tags: readonly string[],
  seen: SeenSets,
): Promise<void> {
  const compared = tags.map(async (tag) => {
    const expected = expectedSets([...reference.runs.values()].filter((run) => run.tag === tag));
    const names = seen.get(tag) ?? new Set();
    for (const name of expected.keys()) names.add(name);
    seen.set(tag, names);
    const observed = await Promise.all(
      [...names].map(async (name) => [name, (await client.zrange(tag + name, '0', '-1')).sort()] as const),
    );
    for (const [name, members] of observed)
      assert.deepEqual(members, expected.get(name) ?? [], `the set ${tag}${name}`);
  });
  await Promise.all(compared);
}
