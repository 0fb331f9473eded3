import type { AgentView, Gate, StepView } from '@flotilla/contracts';
import { isSettledStepStatus, makesItems } from '@flotilla/contracts';

/** A breaker as far as it explains a step that waits for it. */
export interface BreakerFacts {
  state: string;
  since: number;
  /** When the next call may test the way back; absent when somebody opened it by hand, and while it is half-open. */
  openUntil?: number | undefined;
  parked: number;
}

/** Characters of what a step reports of its progress. */
const LONGEST_PROGRESS = 200;

export interface QueueFacts {
  /** Tasks that wait. */
  depth: number;
  /** How many of them stand before the step; undefined when it is further back than was looked at. */
  position: number | undefined;
}

/** What is known around a step that has not settled. */
export interface WaitContext {
  /** Redis' clock. */
  now: number;
  runCreatedAt: number;
  /** Then no step of it is taken, whatever stands in the queues. */
  isPaused: boolean;
  /** The run's steps by id, as far as they were read. */
  steps: ReadonlyMap<string, StepView>;
  agents: readonly AgentView[];
  /** When one of the step's timers is due: `p` parked, `b` backing off, `d` delay, `w` queuedMs. */
  timer: (letter: 'p' | 'b' | 'd' | 'w') => number | undefined;
  leaseEnd: (worker: string) => number | undefined;
  breaker: (name: string) => BreakerFacts | undefined;
  queue: QueueFacts | undefined;
  /** Of a map: items at once. */
  mapConcurrency: number | undefined;
}

/** Open needs that are told one by one. */
const MOST_NEEDS = 20;

/** Every gate that holds a step, from state alone; none when it has settled. */
export function gatesOfStep(step: StepView, around: WaitContext): Gate[] {
  switch (step.status) {
    case 'waiting':
      return isDispatched(step, around) ? waitsForStart(step, around) : waitsForNeeds(step, around);
    case 'ready':
      return waitsForStart(step, around);
    case 'parked':
      return [explainParked(step, around)];
    case 'backing-off':
      return [explainBackoff(step, around)];
    case 'running':
      return runs(step, around);
    default:
      return [];
  }
}

/** Handed out and not taken yet: it is `waiting` although nothing that it needs is open. */
export function isDispatched({ status, needs, queue }: StepView, { steps }: Pick<WaitContext, 'steps'>): boolean {
  if (status !== 'waiting' || queue === undefined) return false;
  return (needs ?? []).every((need) => {
    const needed = steps.get(need);
    return needed !== undefined && isSettledStepStatus(needed.status);
  });
}

function waitsForNeeds({ stepId, needs = [] }: StepView, { steps, runCreatedAt }: WaitContext): Gate[] {
  const open = needs.filter((need) => {
    const needed = steps.get(need);
    return needed === undefined || !isSettledStepStatus(needed.status);
  });
  const gates = open.slice(0, MOST_NEEDS).map((need): Gate => {
    const status = steps.get(need)?.status ?? 'not settled';
    const message = `waits for ${need}, which is ${status}`;
    return { stepId, gate: 'dependency', subject: need, since: runCreatedAt, message };
  });
  if (gates.length > 0) return gates;
  // A step of very many needs has no list of them.
  const message = 'waits for the steps that it needs';
  return [{ stepId, gate: 'dependency', subject: stepId, since: runCreatedAt, message }];
}

/** A map is started by a scheduler, at once, whatever workers do: only its items wait for them. */
function waitsForStart(step: StepView, around: WaitContext): Gate[] {
  return makesItems(step) && !step.stepId.endsWith(']') ? [] : waitsForWorker(step, around);
}

/** Of a paused run it waits for nothing but the end of the pause, which is a gate of the run. */
function waitsForWorker(step: StepView, around: WaitContext): Gate[] {
  if (around.isPaused) return [];
  const { stepId, queue = 'default', use = '' } = step;
  const { agents } = around;
  const since = step.since ?? settledNeeds(step, around);
  const serving = agents.filter((agent) => isLiving(agent) && agent.queues.includes(queue));
  if (serving.length === 0) {
    const message = `waits in queue ${queue}, which no living worker serves`;
    return [{ stepId, gate: 'handler', subject: queue, since, message }];
  }
  const gates: Gate[] = [];
  const able = serving.filter(({ handlers }) => handlers.includes(use));
  const taking = able.filter(({ intake }) => intake !== 'none');
  const depth = around.queue?.depth ?? 0;
  const place = placeText(around.queue);
  gates.push({
    stepId,
    gate: 'queue',
    subject: queue,
    since,
    message: `waits in queue ${queue}${place}; ${depth} ${depth === 1 ? 'task waits' : 'tasks wait'} there`,
  });
  const full = fullText(taking);
  if (full !== undefined) gates.push({ stepId, gate: 'concurrency', subject: queue, since, message: full });
  // What changed after it was handed out: soon it is looked at again, and parked for that.
  const nobody = able.length === 0 ? noHandler(step) : taking.length === 0 ? noHealthyAgent(step) : undefined;
  if (nobody !== undefined) gates.push({ stepId, since, ...nobody });
  return gates;
}

/** That all that these agents may make at once is under way; undefined when something is free. */
function fullText(taking: readonly AgentView[]): string | undefined {
  const sum = (amountOf: (load: AgentView['load']) => number) =>
    taking.reduce((total, { load }) => total + amountOf(load), 0);
  const slots = sum((load) => load.slots);
  const limit = sum((load) => Math.min(load.slots, load.limit ?? load.slots));
  if (taking.length === 0 || sum(({ running }) => running) < limit) return undefined;
  const workers = taking.length === 1 ? 'the one worker' : `${taking.length} workers`;
  const [take, they, their] = taking.length === 1 ? ['takes', 'it takes', 'its'] : ['take', 'they take', 'their'];
  if (limit === 0) return `${workers} that can make it ${take} no work now, of ${slots} slots`;
  const fewer = limit < slots ? `; ${they} fewer than ${their} ${slots} now` : '';
  return `all ${limit} slots of ${workers} that can make it are taken${fewer}`;
}

function noHandler({ use = '', capability, queue = 'default' }: StepView): Pick<Gate, 'gate' | 'subject' | 'message'> {
  const what = capability === undefined ? `the handler ${use}` : `an agent that can do ${capability}`;
  const message = `waits for a worker on queue ${queue} that has ${what}`;
  return { gate: 'handler', subject: capability ?? use, message };
}

function noHealthyAgent({ use = '', capability, queue = 'default' }: StepView): ReturnType<typeof noHandler> {
  const subject = capability ?? use;
  const message = `waits for a healthy agent on queue ${queue}: those that can do ${subject} are out of routing`;
  return { gate: 'agent-health', subject, message };
}

function placeText(queue: QueueFacts | undefined): string {
  if (queue === undefined) return '';
  if (queue.position === undefined) return queue.depth === 0 ? '' : ', far back';
  return queue.position === 0 ? ', as the next one' : `, behind ${queue.position}`;
}

/** The last of its needs to settle, else the run's creation. */
function settledNeeds({ needs = [] }: StepView, { steps, runCreatedAt }: WaitContext): number {
  return Math.max(runCreatedAt, ...needs.map((need) => steps.get(need)?.endedAt ?? 0));
}

function explainParked(step: StepView, around: WaitContext): Gate {
  const { stepId, reason = '' } = step;
  const since = step.since ?? around.runCreatedAt;
  const [kind, name = ''] = splitReason(reason);
  if (kind === 'breaker') return behindBreaker({ stepId, since }, name, around);
  // Only `queuedMs` ends such a wait: the timer of a parked step says when somebody looks at it again, which may change nothing.
  const base = { stepId, since, ...untilOf(around.timer('w')) };
  if (kind === 'agent-health') return { ...base, ...noHealthyAgent(step) };
  if (kind === 'storage') {
    return { ...base, gate: 'storage', subject: 'redis', message: 'waits until Redis has memory again' };
  }
  if (kind === 'own-process') {
    const message = 'was lost with its workers before: waits for a process of its own, and none is free';
    return { ...base, gate: 'concurrency', subject: step.queue ?? 'default', message };
  }
  if (kind === 'definition-not-understood') {
    const message =
      'the worker that took it could not compile its definition: waits for a worker that can; see its log';
    return { ...base, gate: 'handler', subject: step.use ?? step.queue ?? 'default', message };
  }
  return { ...base, ...noHandler(step) };
}

function untilOf(until: number | undefined): Pick<Gate, 'until'> {
  return until === undefined ? {} : { until };
}

function splitReason(reason: string): [kind: string, name?: string] {
  const colon = reason.indexOf(':');
  return colon < 0 ? [reason] : [reason.slice(0, colon), reason.slice(colon + 1)];
}

function behindBreaker(base: Pick<Gate, 'stepId' | 'since'>, name: string, { now, breaker, timer }: WaitContext): Gate {
  const facts = breaker(name);
  if (facts === undefined || facts.state === 'closed') {
    const message = `waits for ${name}: its breaker has closed, the step is on its way back`;
    return { ...base, ...untilOf(timer('p')), gate: 'breaker', subject: name, message };
  }
  const { state, since, parked } = facts;
  const { next, until } = wayBack(facts, now, timer);
  const steps = `${parked} ${parked === 1 ? 'step' : 'steps'} parked`;
  const message = `waits for ${name}: breaker ${state} since ${clockText(since)}, ${next}, ${steps}`;
  return { ...base, since, ...untilOf(until), gate: 'breaker', subject: name, message };
}

/** What has to happen before the steps behind a breaker are made, and when that is as far as it is known. */
function wayBack(
  { state, openUntil }: BreakerFacts,
  now: number,
  timer: WaitContext['timer'],
): { next: string; until: number | undefined } {
  if (state === 'half-open') return { next: 'a few calls test the way back', until: timer('p') };
  if (openUntil === undefined) return { next: 'until somebody closes it', until: timer('w') };
  const when = openUntil > now ? `in ${Math.ceil((openUntil - now) / 1000)} s` : 'now';
  return { next: `next probe ${when}`, until: openUntil };
}

/** Time of day in UTC: the wall clock of whoever reads it is unknown here. */
function clockText(at: number): string {
  return `${new Date(at).toISOString().slice(11, 19)} UTC`;
}

function explainBackoff(step: StepView, around: WaitContext): Gate {
  const until = step.nextAttemptAt ?? around.timer('b');
  const { stepId, attempts, error } = step;
  const why = error === undefined ? '' : ` after ${error.code}`;
  const message = `waits for attempt ${attempts + 1}${why}`;
  const since = step.since ?? around.runCreatedAt;
  return { stepId, gate: 'timer', subject: 'retry', since, ...(until === undefined ? {} : { until }), message };
}

function runs(step: StepView, around: WaitContext): Gate[] {
  const { stepId, kind, worker = '', attempts } = step;
  const since = step.since ?? step.startedAt ?? around.runCreatedAt;
  if (kind === 'delay') {
    const until = around.timer('d');
    const message = 'waits for its time';
    return [{ stepId, gate: 'timer', subject: 'delay', since, ...(until === undefined ? {} : { until }), message }];
  }
  if (step.wait !== undefined) return [waitsForOutside(stepId, step.wait, since)];
  if (makesItems(step) && worker === '') return itemsOfMap(step, since, around);
  const until = around.leaseEnd(worker);
  const agent = around.agents.find(({ workerId }) => workerId === worker);
  const isLost = until === undefined || until <= around.now;
  const message = isLost
    ? `attempt ${attempts} was with ${worker}, which has not been heard of${lastSeen(agent)}: it is given to another worker`
    : `attempt ${attempts} is being made by ${worker}${progressText(step)}`;
  return [{ stepId, gate: 'lease', subject: worker, since, ...(until === undefined ? {} : { until }), message }];
}

function progressText({ progress }: StepView): string {
  if (progress === undefined) return '';
  const text = typeof progress === 'string' ? progress : JSON.stringify(progress);
  return `: ${text.length > LONGEST_PROGRESS ? `${text.slice(0, LONGEST_PROGRESS)}…` : text}`;
}

const OUTSIDE: Record<NonNullable<StepView['wait']>['kind'], (subject: string) => string> = {
  signal: (name) => `waits for the signal ${name}`,
  approval: (id) => `waits for a decision on approval ${id}`,
  webhook: () => 'waits for a request to its webhook',
  workflow: (runId) => `waits for the child run ${runId}`,
  send: (channel) => `waits for room in the channel ${channel}`,
  receive: (channel) => `waits for a message in the channel ${channel}`,
};

function waitsForOutside(stepId: string, { kind, subject, until }: NonNullable<StepView['wait']>, since: number): Gate {
  return { stepId, gate: 'outside', subject, since, ...untilOf(until), message: OUTSIDE[kind](subject) };
}

function lastSeen(agent: AgentView | undefined): string {
  return agent === undefined ? '' : ` since ${clockText(agent.lastSeenAt)}`;
}

function itemsOfMap({ stepId }: StepView, since: number, { steps, mapConcurrency }: WaitContext): Gate[] {
  const items = [...steps.values()].filter((other) => other.stepId.startsWith(`${stepId}[`));
  const open = items.filter(({ status }) => !isSettledStepStatus(status)).length;
  if (mapConcurrency === undefined || open < mapConcurrency) return [];
  const message = `makes ${mapConcurrency} items at once: the next begins when one of them has settled`;
  return [{ stepId, gate: 'concurrency', subject: stepId, since, message }];
}

function isLiving({ status }: AgentView): boolean {
  return status !== 'lost' && status !== 'draining';
}
