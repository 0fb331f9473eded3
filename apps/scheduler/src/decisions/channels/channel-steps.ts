import { type Channels, DEFAULT_MAX_BYTES, DEFAULT_MAX_MESSAGES, type Delivery } from '@flotilla/channels';
import type { Json } from '@flotilla/contracts';
import type { Plan, PlanChannel, PlanStep, PlanWait } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import { withScope } from '../run-scope.ts';

type SendWait = Extract<PlanWait, { kind: 'send' }>;
type ReceiveWait = Extract<PlanWait, { kind: 'receive' }>;

export interface ChannelDependencies {
  state: State<Plan>;
  channels: Channels;
}

/** Marks the channels that belong to one run. */
const OF_RUN = '~';

/** The name that a channel is stored under: those of a run have the run's id in it. */
export function storedName({ name, scope }: PlanChannel, runId: string): string {
  return scope === 'run' ? `${runId}${OF_RUN}${name}` : name;
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
  // The same for each repetition, another one when the step runs again in another opening of its run.
  const id = `${runId}/${step.id}/${startedAt}`;
  const bounds = { maxMessages, maxBytes };
  const seq = await channels.sendOrWait({ channel, ...message, id, by: `${runId}/${step.id}`, ...bounds }, stepAddress);
  if (seq !== undefined) await answer(state, stepAddress, { kind: 'send', body: { seq }, id: `sent-${seq}` });
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

/** Tells the steps that wait at a channel what they have got. Repeating it is harmless. */
export async function deliverMessages({ state, channels }: ChannelDependencies, channel: string): Promise<void> {
  for (;;) {
    const deliveries = await channels.deliver(channel);
    if (deliveries.length === 0) return;
    for (const delivery of deliveries) await carryOut({ state, channels }, channel, delivery);
  }
}

async function carryOut({ state, channels }: ChannelDependencies, channel: string, delivery: Delivery): Promise<void> {
  const { step } = delivery;
  if (delivery.kind === 'admit') {
    await answer(state, step, { kind: 'send', body: { seq: delivery.seq }, id: `sent-${delivery.seq}` });
    await channels.confirm(channel, step);
    return;
  }
  const { assignment, messages } = delivery;
  const bodies = messages.map(({ body }) => body);
  const isTaken = await answer(state, step, { kind: 'receive', body: bodies, id: assignment.split('|').at(-1) ?? '' });
  if (isTaken) await channels.acknowledge(channel, assignment);
  else await channels.release(channel, assignment);
}

/** True when the step has taken the answer, now or when it was told before. */
async function answer(
  state: State<Plan>,
  { runId, key }: { runId: string; key: string },
  { kind, body, id }: { kind: 'send' | 'receive'; body: Json; id: string },
): Promise<boolean> {
  const reply = await state.transitions.answerWait(
    { tag: state.tagOf(runId), runId, key },
    { kind, subject: '', bodyJson: JSON.stringify(body), eventJson: '{}', id: `${kind}/${key}/${id}` },
  );
  return reply === 'answered';
}
