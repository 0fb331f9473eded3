import { type Channels, DEFAULT_MAX_BYTES, DEFAULT_MAX_MESSAGES, storedName } from '@flotilla/channels';
import type { Json } from '@flotilla/contracts';
import type { Plan, PlanStep, PlanWait } from '@flotilla/engine';
import { type State, WAIT_ANSWER } from '@flotilla/state';
import { withScope } from '../run-scope.ts';
import { answerStep } from './answer-step.ts';

type SendWait = Extract<PlanWait, { kind: 'send' }>;
type ReceiveWait = Extract<PlanWait, { kind: 'receive' }>;

export interface ChannelDependencies {
  state: State<Plan>;
  channels: Channels;
}

/**
 * A step that sends or receives has begun to wait: its message goes to the channel, or it is registered there. What happens
 * then is told by `deliverMessages`. Repeating it is harmless.
 */
export async function joinChannel(
  { state, channels }: ChannelDependencies,
  plan: Plan,
  { runId, step }: { runId: string; step: PlanStep },
): Promise<void> {
  const key = String(step.index);
  const open = await state.readWait(runId, key);
  const { wait } = step;
  if (open === undefined || open.answer !== '' || wait === undefined) return;
  if (wait.kind === 'send') await send({ state, channels }, plan, { runId, step, wait, startedAt: open.startedAt });
  if (wait.kind === 'receive') {
    const channelKey = await resolveKey(state, plan, runId, wait);
    await channels.receive(storedName(wait.channel, runId), { runId, key }, { key: channelKey, count: wait.count });
  }
  if (wait.kind === 'send' || wait.kind === 'receive') {
    // Whoever ended the wait meanwhile found nothing to take back.
    const now = await state.readWait(runId, key);
    if (now === undefined || now.answer === WAIT_ANSWER.closed || now.answer === WAIT_ANSWER.timeout) {
      await leaveChannel(channels, wait, { runId, key });
    }
  }
}

async function send(
  { state, channels }: ChannelDependencies,
  plan: Plan,
  { runId, step, wait, startedAt }: { runId: string; step: PlanStep; wait: SendWait; startedAt: number },
): Promise<void> {
  const reads = [...new Set([...wait.message.reads, ...(wait.key?.reads ?? [])])].sort((a, b) => a - b);
  const message = await withScope(state, plan, { runId, reads }, ({ scope }) => ({
    body: wait.message.resolve(scope),
    key: keyText(wait.key?.resolve(scope)),
  }));
  const stepAddress = { runId, key: String(step.index) };
  const { maxMessages = DEFAULT_MAX_MESSAGES, maxBytes = DEFAULT_MAX_BYTES } = wait.channel;
  const channel = storedName(wait.channel, runId);
  const id = messageId(runId, step.id, startedAt);
  const bounds = { maxMessages, maxBytes };
  const seq = await channels.sendOrWait({ channel, ...message, id, by: `${runId}/${step.id}`, ...bounds }, stepAddress);
  if (seq !== undefined) await answerStep(state, stepAddress, { kind: 'send', body: { seq }, id: `sent-${seq}` });
}

/** What a step's message is sent with: the same for each repetition, another one when the step runs again in another opening. */
export function messageId(runId: string, stepId: string, startedAt: number): string {
  return `${runId}/${stepId}/${startedAt}`;
}

/** A step waits at its channel no more. The number of its message when that was sent before (`sentWith` is its id). */
export async function leaveChannel(
  channels: Channels,
  { channel }: SendWait | ReceiveWait,
  step: { runId: string; key: string },
  sentWith?: string,
): Promise<number | undefined> {
  return channels.leave(storedName(channel, step.runId), step, sentWith);
}

async function resolveKey(
  state: State<Plan>,
  plan: Plan,
  runId: string,
  { key }: ReceiveWait,
): Promise<string | undefined> {
  if (key === undefined) return undefined;
  return withScope(state, plan, { runId, reads: key.reads }, ({ scope }) => keyText(key.resolve(scope)));
}

function keyText(key: Json | undefined): string {
  if (key === undefined) return '';
  return typeof key === 'string' ? key : JSON.stringify(key);
}
