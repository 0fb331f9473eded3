import { readFileSync } from 'node:fs';
import {
  AGENT_STATUSES,
  ATTEMPT_ENDS,
  CLEANUP_STATUSES,
  isSettledStepStatus,
  isTerminalRunStatus,
  RUN_STATUSES,
  STEP_STATUSES,
} from '@flotilla/contracts';
import { describe, expect, test } from '@jest/globals';
import { renderStateMachines } from './render-state-machines.ts';
import {
  AGENT_TRANSITIONS,
  ATTEMPT_TRANSITIONS,
  CLEANUP_TRANSITIONS,
  isAllowed,
  RUN_TRANSITIONS,
  renderTransitionsForLua,
  STEP_TRANSITIONS,
  TRANSITION_TABLES,
  type TransitionTable,
  transitionPairs,
} from './transitions.ts';

function reachableFrom(table: TransitionTable<string>, start: string): Set<string> {
  const reached = new Set([start]);
  for (const state of reached) for (const next of table[state] ?? []) reached.add(next);
  return reached;
}

describe('the transition tables', () => {
  test('name every state once', () => {
    expect(Object.keys(RUN_TRANSITIONS)).toEqual([...RUN_STATUSES]);
    expect(Object.keys(STEP_TRANSITIONS)).toEqual([...STEP_STATUSES]);
    expect(Object.keys(ATTEMPT_TRANSITIONS)).toEqual(['running', ...ATTEMPT_ENDS]);
    expect(Object.keys(AGENT_TRANSITIONS)).toEqual([...AGENT_STATUSES]);
    expect(Object.keys(CLEANUP_TRANSITIONS)).toEqual([...CLEANUP_STATUSES]);
  });

  test('leave terminal states terminal, but for a retry of the run (S6)', () => {
    for (const status of RUN_STATUSES) {
      const onlyByRetry = RUN_TRANSITIONS[status].every((to) => to === 'pending');
      expect(onlyByRetry).toBe(isTerminalRunStatus(status));
    }
    expect(RUN_TRANSITIONS.succeeded).toEqual([]);
    for (const status of STEP_STATUSES) expect(STEP_TRANSITIONS[status].length === 0).toBe(isSettledStepStatus(status));
  });

  test('reach every state from the first, and no state from itself in one move', () => {
    expect(reachableFrom(RUN_TRANSITIONS, 'pending').size).toBe(RUN_STATUSES.length);
    expect(reachableFrom(STEP_TRANSITIONS, 'waiting').size).toBe(STEP_STATUSES.length);
    expect(reachableFrom(CLEANUP_TRANSITIONS, 'registered').size).toBe(CLEANUP_STATUSES.length);
    expect(reachableFrom(ATTEMPT_TRANSITIONS, 'running').size).toBe(ATTEMPT_ENDS.length + 1);
    for (const table of Object.values(TRANSITION_TABLES)) {
      for (const { from, to, allowed } of transitionPairs<string>(table)) if (from === to) expect(allowed).toBe(false);
    }
  });

  test('are walked as all pairs of states', () => {
    expect(transitionPairs(RUN_TRANSITIONS)).toHaveLength(RUN_STATUSES.length ** 2);
    expect(isAllowed(RUN_TRANSITIONS, 'running', 'succeeded')).toBe(true);
    expect(isAllowed(RUN_TRANSITIONS, 'cancelling', 'succeeded')).toBe(false);
  });

  test('render as Lua with the stored form of states', () => {
    const lua = renderTransitionsForLua<'a' | 'b'>({ a: ['b'], b: [] }, (state) => state.toUpperCase());
    expect(lua).toBe("{ ['A'] = { ['B'] = true }, ['B'] = {  } }");
  });

  test('are what the reference shows (pnpm --filter @flotilla/engine state-machines)', () => {
    const shown = readFileSync(new URL('../../../docs/reference/state-machines.md', import.meta.url), 'utf8');
    expect(shown).toBe(renderStateMachines());
  });
});
