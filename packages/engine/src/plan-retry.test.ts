import type { WorkflowDefinition } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { compileWorkflow } from './compile-workflow.ts';
import { encodeJoinCounter } from './join-counter.ts';
import { type EndedStep, planRetry, type RetrySelection } from './plan-retry.ts';

const work = (needs: string[] = [], more: object = {}) =>
  ({ kind: 'task', use: 'work', ...(needs.length > 0 && { needs }), ...more }) as WorkflowDefinition['steps'][string];

function retried(
  steps: WorkflowDefinition['steps'],
  ends: Record<string, EndedStep>,
  selection: { only?: string[]; from?: string } = {},
) {
  const compiled = compileWorkflow({ flotilla: 1, name: 'retried', steps });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  const { plan } = compiled;
  const indexOf = (id: string) => plan.stepIndex.get(id)!;
  const chosen: RetrySelection = {
    ...(selection.only === undefined ? {} : { only: new Set(selection.only.map(indexOf)) }),
    ...(selection.from === undefined ? {} : { from: indexOf(selection.from) }),
  };
  const retry = planRetry(plan, (step) => ends[plan.steps[step]!.id] ?? 'open', chosen);
  const ids = (list: Iterable<number>) => [...list].map((step) => plan.steps[step]!.id).sort();
  return {
    ...retry,
    anew: ids(retry.reset),
    sameInput: ids(retry.sameInput),
    failures: ids(retry.keptFailures),
    counterOf: (id: string) => retry.counters.get(plan.steps[indexOf(id)]!.group),
  };
}

const diamond = { a: work(), b: work(['a']), c: work(['a']), d: work(['b', 'c']) };

describe('a retry', () => {
  test('makes anew what failed and what depends on it, and counts what is kept', () => {
    const retry = retried(diamond, { a: 'succeeded', b: 'succeeded', c: 'failed', d: 'skipped-upstream-failed' });
    expect(retry.anew).toEqual(['c', 'd']);
    expect(retry.sameInput).toEqual(['c']);
    expect(retry.endPending).toBe(1);
    expect(retry.counterOf('d')).toBe(encodeJoinCounter({ pending: 1, succeeded: 1, failed: 0 }));
  });

  test('keeps a failure that was tolerated, unless it is named, and keeps it from failing the run again', () => {
    const steps = { a: work([], { tolerate: true }), b: work(['a'], { join: 'settled' }), c: work(['b']) };
    const ends = { a: 'failed', b: 'succeeded', c: 'failed' } as const;
    expect(retried(steps, ends)).toMatchObject({ anew: ['c'], failures: [] });
    expect(retried(steps, ends, { only: ['a'] })).toMatchObject({ anew: ['a', 'b', 'c'], failures: [] });
  });

  test('forgets counters of groups of which nothing is kept', () => {
    const retry = retried({ a: work(), b: work(['a']) }, { a: 'failed' });
    expect(retry.anew).toEqual(['a', 'b']);
    expect([...retry.counters.values()]).toEqual([undefined]);
  });

  test('makes anew a step that settled whatever its needs did, but none that another need had made ready', () => {
    const steps = {
      a: work(),
      b: work(),
      whatever: work(['a', 'b'], { join: 'settled' }),
      either: work(['a', 'b'], { join: 'any' }),
      after: work(['either']),
    };
    const ends = {
      a: 'succeeded',
      b: 'failed',
      whatever: 'succeeded',
      either: 'succeeded',
      after: 'succeeded',
    } as const;
    expect(retried(steps, ends).anew).toEqual(['b', 'whatever']);
    expect(retried(steps, { ...ends, a: 'failed' }).anew).toEqual(['a', 'after', 'b', 'either', 'whatever']);
  });

  test('keeps the choice of a branch', () => {
    const branch = { kind: 'branch', cases: [{ when: 'true', to: 'left' }], otherwise: 'right' } as const;
    const steps = { a: branch, left: work(), right: work() } as unknown as WorkflowDefinition['steps'];
    const { anew, counterOf } = retried(steps, { a: { chosen: 1 }, left: 'failed', right: 'skipped' });
    expect(anew).toEqual(['left']);
    expect(counterOf('left')).toBeUndefined();
  });

  test('of some of the failed steps leaves the others failed', () => {
    const steps = { a: work(), b: work(), both: work(['a', 'b']) };
    const retry = retried(steps, { a: 'failed', b: 'failed', both: 'skipped-upstream-failed' }, { only: ['a'] });
    expect([retry.anew, retry.failures]).toEqual([['a', 'both'], ['b']]);
    expect(retry.counterOf('both')).toBe(encodeJoinCounter({ pending: 1, succeeded: 0, failed: 1 }));
  });

  test('from a step makes it anew with all that depends on it, whatever they were', () => {
    const ends = { a: 'succeeded', b: 'succeeded', c: 'succeeded', d: 'failed' } as const;
    const retry = retried(diamond, ends, { from: 'b' });
    expect([retry.anew, retry.sameInput]).toEqual([['b', 'd'], ['b']]);
  });
});
