import type { WaitKind } from '@flotilla/contracts';
import { pack } from '../pack-arguments.ts';
import type { TransitionBatch } from '../transition-batch.ts';
import type { FiredStep, StepAddress } from './addresses.ts';

export interface StartWait {
  kind: WaitKind;
  /** Name of a signal, token of a webhook, run id of a child; '' of an approval. */
  subject: string;
  timeoutMs: number | undefined;
  /** What an approval or webhook is about (JSON). */
  detailJson?: string | undefined;
}

export type SignalReply =
  | { outcome: 'sent'; number: number; deliveredTo: string | undefined }
  | { outcome: 'known'; number: number }
  | { outcome: 'gone' | 'ended' | 'full' };

export type AnswerReply = 'answered' | 'already-answered' | 'gone' | 'ended' | 'not-waiting' | 'other';

/** Steps that wait for something from outside their run, and what they wait for. */
export const waitTransitions = (batch: TransitionBatch) => ({
  /** The subject that the wait has: another one when it was started before. Undefined: refused. */
  async startWait(a: FiredStep, wait: StartWait): Promise<string | undefined> {
    const { runId, key, opening } = a;
    const { kind: waitKind, subject, timeoutMs: limitMs, detailJson: detail } = wait;
    const args = pack('start-wait', { runId, key, opening, waitKind, subject, limitMs, detail });
    const reply = await batch.apply(a.tag, 'start-wait', args);
    return reply[0] === 'started' ? reply[1]! : undefined;
  },

  async sendSignal(
    { tag, runId }: Omit<StepAddress, 'key'>,
    signal: { name: string; bodyJson: string; dedupeId?: string | undefined },
  ): Promise<SignalReply> {
    const { name, bodyJson: body, dedupeId: sentWith } = signal;
    const reply = await batch.apply(tag, 'send-signal', pack('send-signal', { runId, signal: name, body, sentWith }));
    const [outcome, detail = '', key = ''] = reply;
    if (outcome === 'known') return { outcome, number: Number(detail) };
    if (outcome === 'refused') return { outcome: detail as 'gone' | 'ended' | 'full' };
    return { outcome: 'sent', number: Number(detail), deliveredTo: key === '' ? undefined : key };
  },

  /** What the attempt with this fence has done with channels is carried out: it need not be kept any more. */
  async channelWorkDone({ tag, runId, key }: StepAddress, fence: string): Promise<void> {
    await batch.apply(tag, 'channel-work-done', pack('channel-work-done', { runId, key, fence }));
  },

  /** With an id the same answer may be given again. Without a body: the child run that the step waits for has ended. */
  async answerWait(
    a: StepAddress,
    answer: {
      kind: WaitKind;
      subject: string;
      bodyJson: string | undefined;
      eventJson: string;
      id?: string | undefined;
    },
  ): Promise<AnswerReply> {
    const { runId, key } = a;
    const { kind: waitKind, subject, bodyJson: body, eventJson: data, id: sentWith } = answer;
    const args = pack('answer-wait', { runId, key, waitKind, subject, body, data, sentWith });
    const reply = await batch.apply(a.tag, 'answer-wait', args);
    if (reply[0] === 'answered') return 'answered';
    return reply[1] === 'answered' ? 'already-answered' : (reply[1] as AnswerReply);
  },

  async closeWaits({ tag, runId }: Omit<StepAddress, 'key'>, keys: readonly string[]): Promise<void> {
    await batch.apply(tag, 'close-waits', [...pack('close-waits', { runId }), ...keys]);
  },
});
