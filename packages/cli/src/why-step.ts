import {
  type AgentView,
  isSettledStepStatus,
  isTerminalRunStatus,
  type RunView,
  type StepView,
} from '@flotilla/contracts';
import { cutTo } from './plain-text.ts';

/** Characters of what a step reports of its progress. */
const LONGEST_PROGRESS = 120;

/** What is known beside a step when its state is explained. */
export interface WaitContext {
  run: RunView;
  /** All steps that are shown, by id. */
  steps: ReadonlyMap<string, StepView>;
  /** Undefined when they could not be listed. */
  agents: readonly AgentView[] | undefined;
}

/** Why a step is where it is, and what it waits for when that is a worker. */
export function whyStep(step: StepView, surroundings: WaitContext): string {
  const { status, error, reason, use, capability, queue } = step;
  if (error !== undefined) return `${error.code}: ${error.message}`;
  if (status === 'parked' && reason === 'no-handler' && use !== undefined) {
    const what = capability === undefined ? `the handler ${use}` : `an agent that can do ${capability}`;
    return `no-handler: waits for a worker on queue ${queue} that has ${what}`;
  }
  if (status === 'parked' && reason === 'agent-health') {
    return 'agent-health: every living agent that can make it is unhealthy; `flotilla agents` says why';
  }
  if (status === 'parked' && reason === 'definition-not-understood') {
    return 'definition-not-understood: the worker that took it could not compile its definition (an older release, or broken); waits for another';
  }
  if (queue !== undefined && waitsForWorker(step, surroundings))
    return `waits in queue ${queue}${unserved(queue, surroundings)}`;
  return reason ?? progressText(step);
}

/** What the attempt under way has reported last. */
function progressText({ progress }: StepView): string {
  if (progress === undefined) return '';
  return cutTo(typeof progress === 'string' ? progress : JSON.stringify(progress), LONGEST_PROGRESS);
}

/** Whether any of the steps waits for a worker, so that it is worth knowing which workers there are. */
export function anyWaitsForWorker({ run, steps }: Omit<WaitContext, 'agents'>): boolean {
  return [...steps.values()].some((step) => waitsForWorker(step, { run, steps, agents: undefined }));
}

/** Ready, or handed out and not taken yet: then it is `waiting` although nothing that it needs is open. */
function waitsForWorker({ status, needs = [], queue }: StepView, { run, steps }: WaitContext): boolean {
  if (queue === undefined || isTerminalRunStatus(run.status)) return false;
  if (status === 'ready') return true;
  // A step with more than a hundred needs has no list of them; a need beyond the rows shown is not known either.
  if (status !== 'waiting' || !(run.status === 'running' || run.status === 'pending')) return false;
  return needs.every((need) => {
    const needed = steps.get(need);
    return needed !== undefined && isSettledStepStatus(needed.status);
  });
}

function unserved(queue: string, { agents }: WaitContext): string {
  if (agents === undefined) return '';
  const isServed = agents.some(
    ({ status, queues }) => status !== 'lost' && status !== 'draining' && queues.includes(queue),
  );
  return isServed ? '' : ', which no living worker serves';
}
