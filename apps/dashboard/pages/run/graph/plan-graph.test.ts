import type { StepView } from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import type { RunStep } from '../use-run-steps.ts';
import { countStatuses, leadingStatus, planGraph } from './plan-graph.ts';

function steps(...views: (Pick<StepView, 'stepId'> & Partial<StepView>)[]): RunStep[] {
  return views.map((view, position) => ({
    view: { kind: 'task', status: 'waiting', attempts: 0, ...view },
    position,
    status: 'waiting',
    record: undefined,
  }));
}

describe('a plan', () => {
  test('has a box for each step and a line for each need', () => {
    const { nodes, edges } = planGraph(steps({ stepId: 'a' }, { stepId: 'b', needs: ['a'] }), false);
    expect(nodes.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(edges.map(({ from, to }) => [from, to])).toEqual([['a', 'b']]);
  });

  test('that is folded has one box for steps that do the same at the same depth', () => {
    const list = steps(
      { stepId: 'start', use: 'load' },
      { stepId: 'x1', use: 'project', needs: ['start'] },
      { stepId: 'x2', use: 'project', needs: ['start'] },
      { stepId: 'end', use: 'join', needs: ['x1', 'x2'] },
    );
    const { nodes, edges } = planGraph(list, true);
    expect(nodes.map(({ label }) => label)).toEqual(['start', 'project × 2', 'end']);
    expect(edges).toHaveLength(2);
  });

  test('that is folded names imported steps by what their names share', () => {
    const list = steps(
      { stepId: 'mProject_ID0000001', use: 'flotilla.sleep' },
      { stepId: 'mProject_ID0000002', use: 'flotilla.sleep' },
      { stepId: 'mDiffFit_ID0000003', use: 'flotilla.sleep' },
    );
    expect(planGraph(list, true).nodes.map(({ label }) => label)).toEqual(['mProject × 2', 'mDiffFit_ID0000003']);
  });
});

test('a box with several steps shows the status that somebody has to look at', () => {
  const statusOf = (id: string) => ({ a: 'succeeded', b: 'failed', c: 'running' })[id] as 'failed';
  expect(leadingStatus(countStatuses(['a', 'b', 'c'], statusOf))).toBe('failed');
  expect(leadingStatus(countStatuses(['a', 'c'], statusOf))).toBe('running');
  expect(leadingStatus(countStatuses(['a'], statusOf))).toBe('succeeded');
});
