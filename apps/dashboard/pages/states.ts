import type { AgentView, BreakerView, RunStatus, StepStatus } from '@flotilla/contracts';

/** What a colour means. The classes `role-…` of styles.css. */
export type Role = 'neutral' | 'strong' | 'blue' | 'amber' | 'violet' | 'green' | 'red' | 'grey';
export type IconName =
  | 'hollow'
  | 'dotted'
  | 'ring'
  | 'again'
  | 'parked'
  | 'check'
  | 'cross'
  | 'slash'
  | 'clock'
  | 'dash'
  | 'shield'
  | 'hand'
  | 'bell'
  | 'warning';

export interface StateLook {
  word: string;
  icon: IconName;
  role: Role;
  striped?: true;
}

/** Word, icon and colour of each state: never a colour alone. */
export const RUN_LOOKS: Record<RunStatus, StateLook> = {
  pending: { word: 'pending', icon: 'dotted', role: 'strong' },
  running: { word: 'running', icon: 'ring', role: 'blue' },
  paused: { word: 'paused', icon: 'parked', role: 'violet' },
  cancelling: { word: 'cancelling', icon: 'slash', role: 'amber' },
  succeeded: { word: 'succeeded', icon: 'check', role: 'green' },
  failed: { word: 'failed', icon: 'cross', role: 'red' },
  cancelled: { word: 'cancelled', icon: 'slash', role: 'grey' },
  'timed-out': { word: 'timed out', icon: 'clock', role: 'red' },
};

export const STEP_LOOKS: Record<StepStatus, StateLook> = {
  waiting: { word: 'waiting', icon: 'hollow', role: 'neutral' },
  ready: { word: 'queued', icon: 'dotted', role: 'strong' },
  running: { word: 'running', icon: 'ring', role: 'blue' },
  'backing-off': { word: 'backing off', icon: 'again', role: 'amber' },
  parked: { word: 'parked', icon: 'parked', role: 'violet' },
  succeeded: { word: 'succeeded', icon: 'check', role: 'green' },
  failed: { word: 'failed', icon: 'cross', role: 'red' },
  skipped: { word: 'skipped', icon: 'dash', role: 'grey' },
  cancelled: { word: 'cancelled', icon: 'slash', role: 'grey' },
  quarantined: { word: 'quarantined', icon: 'shield', role: 'red', striped: true },
};

/** What steps wait for that no worker makes, by their kind: they are called queued by nobody. */
const WAIT_STEP_LOOKS: Record<string, StateLook> = {
  delay: { word: 'waits for its time', icon: 'clock', role: 'neutral' },
  approval: { word: 'waits for a person', icon: 'hand', role: 'violet' },
  signal: { word: 'waits for a signal', icon: 'bell', role: 'violet' },
  webhook: { word: 'waits for a webhook', icon: 'bell', role: 'violet' },
  workflow: { word: 'its run goes on', icon: 'ring', role: 'blue' },
  send: { word: 'waits for room', icon: 'bell', role: 'violet' },
  receive: { word: 'waits for a message', icon: 'bell', role: 'violet' },
};

/** How a step is shown, given what kind of step it is. */
export function lookOfStep(status: StepStatus, kind: string | undefined): StateLook {
  const isHeld = status === 'ready' || status === 'running' || status === 'parked';
  return (isHeld && kind !== undefined ? WAIT_STEP_LOOKS[kind] : undefined) ?? STEP_LOOKS[status];
}

export const AGENT_LOOKS: Record<AgentView['status'], StateLook> = {
  healthy: { word: 'healthy', icon: 'check', role: 'green' },
  probation: { word: 'on probation', icon: 'clock', role: 'amber' },
  unhealthy: { word: 'unhealthy', icon: 'cross', role: 'red' },
  lost: { word: 'lost', icon: 'warning', role: 'red' },
  draining: { word: 'draining', icon: 'slash', role: 'grey' },
};

export const BREAKER_LOOKS: Record<BreakerView['state'], StateLook> = {
  closed: { word: 'closed', icon: 'check', role: 'green' },
  open: { word: 'open', icon: 'parked', role: 'red' },
  'half-open': { word: 'half open', icon: 'clock', role: 'amber' },
};

export const RUN_STATUS_ORDER = Object.keys(RUN_LOOKS) as RunStatus[];
export const STEP_STATUS_ORDER = Object.keys(STEP_LOOKS) as StepStatus[];
const ENDED_RUNS: ReadonlySet<RunStatus> = new Set(['succeeded', 'failed', 'cancelled', 'timed-out']);
const SETTLED_STEPS: ReadonlySet<StepStatus> = new Set(['succeeded', 'failed', 'skipped', 'cancelled', 'quarantined']);
export const FAILED_STEPS: ReadonlySet<StepStatus> = new Set(['failed', 'quarantined']);
/** Settled steps apart: those that something holds or that are under way. */
export const LIVE_STEPS: ReadonlySet<StepStatus> = new Set(['ready', 'running', 'backing-off', 'parked']);

export function hasEnded(status: RunStatus): boolean {
  return ENDED_RUNS.has(status);
}

export function isSettled(status: StepStatus): boolean {
  return SETTLED_STEPS.has(status);
}

/** Words of the reasons that runs wait for. */
const WAIT_WORDS: Record<string, string> = {
  queued: 'a worker',
  'backing-off': 'the next attempt',
  delay: 'a delay',
  breaker: 'a breaker',
  'no-handler': 'a worker with the handler',
  'agent-health': 'a healthy agent',
  storage: 'room in Redis',
  paused: 'somebody to resume it',
};

/** `breaker:payments` as people say it: "breaker payments". */
export function waitWords(reason: string, subject?: string): string {
  if (subject === undefined) return WAIT_WORDS[reason] ?? reason;
  if (reason === 'breaker') return `breaker ${subject}`;
  if (reason === 'no-handler') return `a worker with ${subject}`;
  return `${WAIT_WORDS[reason] ?? reason} (${subject})`;
}

export const WAIT_LOOKS: Record<string, StateLook> = {
  queued: STEP_LOOKS.ready,
  'backing-off': STEP_LOOKS['backing-off'],
  delay: { word: 'delay', icon: 'clock', role: 'neutral' },
  breaker: STEP_LOOKS.parked,
  'no-handler': STEP_LOOKS.parked,
  'agent-health': STEP_LOOKS.parked,
  storage: STEP_LOOKS.parked,
  paused: RUN_LOOKS.paused,
};
