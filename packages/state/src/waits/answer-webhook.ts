import { timingSafeEqual } from 'node:crypto';
import { FlotillaError, type Json } from '@flotilla/contracts';
import type { Transitions } from '../transitions.ts';
import type { OpenWait } from './read-wait.ts';

/** Answers the webhook of a step. WEBHOOK_NOT_FOUND also for a wrong token; a second request changes nothing. */
export async function answerWebhook(
  transitions: Transitions,
  wait: OpenWait | undefined,
  { tag, runId, key }: { tag: string; runId: string; key: string },
  { token, body }: { token: string; body: Json },
): Promise<{ alreadyAnswered: boolean }> {
  if (wait?.kind !== 'webhook' || !isSame(wait.subject, token)) throw notFound();
  const reply = await transitions.answerWait(
    { tag, runId, key },
    { kind: 'webhook', subject: token, bodyJson: JSON.stringify(body), eventJson: '{"by":"webhook"}' },
  );
  if (reply === 'answered') return { alreadyAnswered: false };
  if (reply === 'already-answered') return { alreadyAnswered: true };
  throw notFound();
}

function isSame(expected: string, given: string): boolean {
  const [left, right] = [Buffer.from(expected), Buffer.from(given)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function notFound(): FlotillaError {
  return new FlotillaError('WEBHOOK_NOT_FOUND', 'no step waits for this webhook');
}
