import { FlotillaError, type Json, type SignalSent } from '@flotilla/contracts';
import type { Transitions } from '../transitions.ts';

export interface SendSignal {
  name: string;
  body: Json;
  /** The same key sends once. */
  idempotencyKey?: string | undefined;
}

/** How long a sender of too many signals may wait before it tries again. */
const FULL_RETRY_AFTER_MS = 1000;

/** Sends a signal to a run; a step that waits for it gets it, else it is kept. RUN_NOT_FOUND, RUN_NOT_ACTIVE, SIGNALS_FULL. */
export async function sendSignal(
  transitions: Transitions,
  { tag, runId, stepIdOf }: { tag: string; runId: string; stepIdOf: (key: string) => Promise<string> },
  { name, body, idempotencyKey }: SendSignal,
): Promise<SignalSent> {
  const signal = { name, bodyJson: JSON.stringify(body), dedupeId: idempotencyKey };
  const reply = await transitions.sendSignal({ tag, runId }, signal);
  switch (reply.outcome) {
    case 'gone':
      throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
    case 'ended':
      throw new FlotillaError('RUN_NOT_ACTIVE', `run ${runId} has ended, or is ending: it takes no signals`);
    case 'full':
      throw new FlotillaError('SIGNALS_FULL', `run ${runId} holds as many signals that no step has taken as it may`, {
        retryAfterMs: FULL_RETRY_AFTER_MS,
      });
    case 'known':
      return { runId, name, seq: reply.number, deduplicated: true };
    case 'sent': {
      const { number: seq, deliveredTo } = reply;
      const sent = { runId, name, seq, deduplicated: false };
      return deliveredTo === undefined ? sent : { ...sent, deliveredTo: await stepIdOf(deliveredTo) };
    }
  }
}
