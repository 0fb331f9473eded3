import type { Channels } from '@flotilla/channels';
import type { Json } from '@flotilla/contracts';
import { decideWaitEnd, type Plan, type PlanStep, type WaitAnswer } from '@flotilla/engine';
import { type OpenWait, STEP, type State, WAIT_ANSWER } from '@flotilla/state';
import { type ChannelDependencies, leaveChannel, messageId } from '../channels/channel-steps.ts';
import { failStep, settleStep } from '../start-step.ts';

/** Something has answered a step that waits: it settles. Nothing happens when it has before, or waits for something else. */
export async function settleWait(
  { state, channels }: ChannelDependencies,
  plan: Plan,
  { runId, step }: { runId: string; step: PlanStep },
): Promise<void> {
  const wait = await state.readWait(runId, String(step.index));
  if (wait === undefined || step.wait === undefined) return;
  const late = wait.answer === WAIT_ANSWER.timeout ? await withdrawLate(channels, runId, step, wait) : undefined;
  const answer = late ?? (await answerOf(state, wait));
  if (answer === undefined) return;
  const { digest } = (wait.detail ?? {}) as { digest?: string };
  const end = decideWaitEnd(step.wait, answer, digest);
  const waiting = { step, opening: undefined };
  if (end.ok) {
    const settlement = { state: 'succeeded', output: end.output, from: STEP.waiting } as const;
    await settleStep(state, plan, runId, waiting, settlement, 'succeeded');
  } else {
    await failStep(state, plan, runId, waiting, end.error, STEP.waiting);
  }
}

/** Its time is over: it leaves its channel. A message that was let in before that has been sent. */
async function withdrawLate(
  channels: Channels,
  runId: string,
  { index, id, wait: planned }: PlanStep,
  { startedAt }: OpenWait,
): Promise<WaitAnswer | undefined> {
  if (planned?.kind !== 'send' && planned?.kind !== 'receive') return undefined;
  const sentWith = planned.kind === 'send' ? messageId(runId, id, startedAt) : undefined;
  const seq = await leaveChannel(channels, planned, { runId, key: String(index) }, sentWith);
  return seq === undefined ? undefined : { by: 'message', body: { seq } };
}

async function answerOf(state: State<Plan>, wait: OpenWait): Promise<WaitAnswer | undefined> {
  const { answer, kind, subject, dueAt, startedAt, message } = wait;
  if (answer === '' || answer === WAIT_ANSWER.closed) return undefined;
  if (answer === WAIT_ANSWER.timeout) return { by: 'timeout', at: dueAt ?? startedAt };
  if (answer === WAIT_ANSWER.child) return answerOfChild(state, subject);
  if (kind === 'approval') return { by: 'decision', ...(message as unknown as Decision) };
  return { by: 'message', body: message ?? null };
}

interface Decision {
  decision: 'approve' | 'reject';
  who: string;
  reason: string | undefined;
  at: number;
}

async function answerOfChild(state: State<Plan>, runId: string): Promise<WaitAnswer> {
  const child = await state.readRun(runId);
  const gone = { type: 'non_retryable', code: 'RUN_PRUNED', message: 'the child run was removed before it was read' };
  if (child === undefined) return { by: 'child', runId, status: 'gone', output: null, error: gone };
  const { status, output = null, error } = child;
  return { by: 'child', runId, status, output: output as Json, error };
}
