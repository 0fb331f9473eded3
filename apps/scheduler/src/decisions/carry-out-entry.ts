import type { Channels } from '@flotilla/channels';
import { type Plan, type PlanStep, stepGroupOf } from '@flotilla/engine';
import { type OutboxEntry, parseStepKey, type State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import { carryOutChannelWork } from './channels/carry-out-channel-work.ts';
import { joinChannel } from './channels/channel-steps.ts';
import { cleanupToDispatch, isCleanup } from './cleanups.ts';
import { finishRun, sweepRun } from './finish-run.ts';
import { iterateLoop } from './iterate-loop.ts';
import { reopenRun } from './reopen-run.ts';
import { type FiredGroup, type StepToDispatch, startStep, toDispatch } from './start-step.ts';
import { announceChildEnd, type ChildRuns } from './waits/child-runs.ts';
import { closeWaits } from './waits/close-waits.ts';
import { settleWait } from './waits/settle-wait.ts';

export interface EntryDependencies {
  state: State<Plan>;
  children: Pick<ChildRuns, 'start'>;
  channels: Channels;
  logger: Logger;
}

/** Deferred decisions of one entry that run side by side. */
const AT_ONCE = 64;
/** A step whose worker could not compile its definition goes to a worker again after this long. */
const REFUSED_AGAIN_MS = 1000;

/** Does what an outbox entry about a run asks for; the steps that go to workers. Repeating it is harmless. */
export async function carryOutEntry(
  dependencies: EntryDependencies,
  plan: Plan,
  entry: OutboxEntry,
): Promise<StepToDispatch[]> {
  const { state } = dependencies;
  const { runId } = entry;
  switch (entry.what) {
    case 'entry-group': {
      const { entryGroup } = plan;
      if (entryGroup === undefined) return [];
      return startGroup(state, plan, runId, { group: entryGroup, counter: undefined, opening: 1 });
    }
    case 'group':
      return startGroup(state, plan, runId, entry);
    case 'step': {
      const step = isCleanup(entry.key) ? await cleanupToDispatch(dependencies, plan, entry) : toDispatch(plan, entry);
      return step === undefined ? [] : [step];
    }
    case 'reopen':
      return reopenRun(state, plan, runId, entry.opening);
    default:
      await carryOutHere(dependencies, plan, entry);
      return [];
  }
}

type EntryOfSteps = 'entry-group' | 'group' | 'step' | 'reopen';

/** What makes no steps ready itself. */
async function carryOutHere(
  dependencies: EntryDependencies,
  plan: Plan,
  entry: Exclude<OutboxEntry, { what: EntryOfSteps }>,
): Promise<void> {
  const { state, children } = dependencies;
  const { runId } = entry;
  switch (entry.what) {
    case 'refused':
      return parkRefused(state, plan, entry);
    case 'held':
      while ((await state.transitions.sendHeld(state.tagOf(runId), runId)) > 0);
      return;
    case 'wait-answered':
      return withStep(plan, entry.key, (step) => settleWait(dependencies, plan, { runId, step }));
    case 'start-child':
      return withStep(plan, entry.key, (step) => children.start(plan, runId, step));
    case 'iteration-ended':
      return withStep(plan, entry.key, (step) => iterateLoop(state, plan, { runId, step }));
    case 'join-channel':
      return withStep(plan, entry.key, (step) => joinChannel(dependencies, plan, { runId, step }));
    case 'channel-work':
      return carryOutChannelWork(dependencies, plan, entry);
    case 'close-waits':
      return closeWaits(dependencies, plan, runId);
    case 'child-ended':
      return announceChildEnd(state, runId);
    case 'finish':
      return finishRun(state, plan, runId);
    case 'sweep':
      return sweepRun(state, plan, runId);
  }
}

async function withStep(plan: Plan, key: string, act: (step: PlanStep) => Promise<void>): Promise<void> {
  const step = plan.steps[Number(key)];
  if (step !== undefined) await act(step);
}

async function parkRefused(
  state: State<Plan>,
  plan: Plan,
  { runId, key }: { runId: string; key: string },
): Promise<void> {
  const group = isCleanup(key) ? undefined : stepGroupOf(plan, parseStepKey(key).step);
  const address = { tag: state.tagOf(runId), runId, key };
  await state.transitions.park(address, group, 'definition-not-understood', REFUSED_AGAIN_MS);
}

async function startGroup(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  fired: FiredGroup & { group: number },
): Promise<StepToDispatch[]> {
  const members = plan.groups[fired.group]?.members ?? [];
  const steps: StepToDispatch[] = [];
  for (let first = 0; first < members.length; first += AT_ONCE) {
    const started = await Promise.all(
      members.slice(first, first + AT_ONCE).map((member) => startStep(state, plan, runId, plan.steps[member]!, fired)),
    );
    for (const step of started) if (step !== undefined) steps.push(step);
  }
  return steps;
}
