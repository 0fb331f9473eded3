import type { AgentStatus, AttemptEnd, CleanupStatus, RunStatus, StepStatus } from '@flotilla/contracts';

/** Which state may follow which. A pair that is not here is refused by the scripts that write states. */
export type TransitionTable<State extends string> = Readonly<Record<State, readonly State[]>>;

/** Terminal states are terminal for an opening of the run: only a retry, which opens it again, leads out of one. */
export const RUN_TRANSITIONS: TransitionTable<RunStatus> = {
  // A run whose steps are all skipped, or whose delays need no worker, ends without an attempt. Nothing is live in it, so
  // nothing needs to be stopped before it can end.
  pending: ['running', 'paused', 'succeeded', 'failed', 'cancelled', 'timed-out'],
  running: ['paused', 'cancelling', 'succeeded', 'failed', 'cancelled', 'timed-out'],
  // Attempts that were running when the run was paused may end it.
  paused: ['running', 'cancelling', 'succeeded', 'failed', 'cancelled', 'timed-out'],
  // Running attempts are being stopped, for a cancellation, a final failure or the run's deadline.
  cancelling: ['failed', 'cancelled', 'timed-out'],
  succeeded: [],
  failed: ['pending'],
  cancelled: ['pending'],
  'timed-out': ['pending'],
};

export const STEP_TRANSITIONS: TransitionTable<StepStatus> = {
  // Straight to running: the worker that committed the last need continues with the step in the same script.
  waiting: ['ready', 'running', 'skipped', 'cancelled'],
  // Straight to succeeded: branches, and maps without items. To failed: `when`, `over` or `queuedMs` failed.
  ready: ['running', 'parked', 'succeeded', 'failed', 'skipped', 'cancelled'],
  // Back to ready: its worker drained or died. Parked: what it needs cannot be had now, as behind an open breaker.
  running: ['ready', 'parked', 'backing-off', 'succeeded', 'failed', 'cancelled', 'quarantined'],
  'backing-off': ['ready', 'failed', 'cancelled'],
  // Skipped: a hint of an earlier opening of the run has parked it.
  parked: ['running', 'failed', 'skipped', 'cancelled'],
  succeeded: [],
  failed: [],
  skipped: [],
  cancelled: [],
  quarantined: [],
};

export type AttemptStatus = 'running' | AttemptEnd;

export const ATTEMPT_TRANSITIONS: TransitionTable<AttemptStatus> = {
  running: ['succeeded', 'failed', 'timed-out', 'lost', 'cancelled', 'rejected'],
  succeeded: [],
  failed: [],
  // An attempt that was given up may still come back with a result: it is refused and recorded as rejected.
  'timed-out': ['rejected'],
  lost: ['rejected'],
  cancelled: ['rejected'],
  rejected: [],
};

/** `judge-health` makes these moves, but for those of an agent that is lost, is seen again or drains. */
export const AGENT_TRANSITIONS: TransitionTable<AgentStatus> = {
  healthy: ['unhealthy', 'lost', 'draining'],
  probation: ['healthy', 'unhealthy', 'lost', 'draining'],
  unhealthy: ['probation', 'lost', 'draining'],
  // It comes back as what it was.
  lost: ['healthy', 'probation', 'unhealthy', 'draining'],
  draining: ['lost'],
};

/** Of a run that does not succeed; cleanups of one that does stay registered. */
export const CLEANUP_TRANSITIONS: TransitionTable<CleanupStatus> = {
  // Straight to running: that it is its turn is written down nowhere. To failed: its time is over, or its run is damaged.
  registered: ['running', 'parked', 'failed'],
  // Back to ready: its worker drained or died, or the wait is over.
  ready: ['running', 'parked', 'failed'],
  // To parked: what it calls is behind a breaker that is open.
  running: ['ready', 'parked', 'backing-off', 'succeeded', 'failed'],
  'backing-off': ['ready', 'failed'],
  parked: ['running', 'failed'],
  succeeded: [],
  failed: [],
};

export const TRANSITION_TABLES = {
  agent: AGENT_TRANSITIONS,
  run: RUN_TRANSITIONS,
  step: STEP_TRANSITIONS,
  attempt: ATTEMPT_TRANSITIONS,
  cleanup: CLEANUP_TRANSITIONS,
} as const;

export function isAllowed<State extends string>(table: TransitionTable<State>, from: State, to: State): boolean {
  return table[from].includes(to);
}

/** Every pair of states with whether it is allowed: what the generated test of the scripts walks over. */
export function transitionPairs<State extends string>(
  table: TransitionTable<State>,
): { from: State; to: State; allowed: boolean }[] {
  const states = Object.keys(table) as State[];
  return states.flatMap((from) => states.map((to) => ({ from, to, allowed: isAllowed(table, from, to) })));
}

/**
 * A table as a Lua expression, `{ ['n'] = { ['r'] = true } }`: keys are states as they are stored. `codeOf` gives the
 * stored form of a state.
 */
export function renderTransitionsForLua<State extends string>(
  table: TransitionTable<State>,
  codeOf: (state: State) => string = (state) => state,
): string {
  const rows = (Object.keys(table) as State[]).map((from) => {
    const targets = table[from].map((to) => `['${codeOf(to)}'] = true`);
    return `['${codeOf(from)}'] = { ${targets.join(', ')} }`;
  });
  return `{ ${rows.join(', ')} }`;
}

/** A table as a Mermaid state diagram. `start` is the state that things begin in. */
export function renderTransitionsAsMermaid<State extends string>(
  table: TransitionTable<State>,
  start: State,
  /** States that things end in although something leads out of them. */
  ends: readonly State[] = [],
): string {
  // Mermaid's names of states have no hyphen.
  const name = (state: State) => state.replaceAll('-', '_');
  const states = Object.keys(table) as State[];
  const lines = ['stateDiagram-v2'];
  for (const state of states) if (name(state) !== state) lines.push(`  state "${state}" as ${name(state)}`);
  lines.push(`  [*] --> ${name(start)}`);
  for (const from of states) {
    for (const to of table[from]) lines.push(`  ${name(from)} --> ${name(to)}`);
    if (table[from].length === 0 || ends.includes(from)) lines.push(`  ${name(from)} --> [*]`);
  }
  return lines.join('\n');
}
