import { isFlotillaError } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { OutboxEntry, State } from '@flotilla/state';
import type { Logger } from '@flotilla/telemetry';
import { failDamaged } from './fail-damaged.ts';
import type { StepToDispatch } from './start-step.ts';
import { tryOften } from './try-often.ts';

/** Of an entry that is for another scheduler: this one cannot compile its definition. */
export const NOT_UNDERSTOOD = Symbol('not understood');

export interface TryEntry {
  state: State<Plan>;
  logger: Logger;
  carryOut: () => Promise<StepToDispatch[]>;
}

/**
 * Carries out an outbox entry, and makes an end of one that cannot be carried out: repeated for ever it would hold up the
 * entries beside it, and its run would hang. Then the run fails, or the cleanup that the entry is about, with the reason as
 * its error.
 *
 * What this process cannot compile, although it is intact, is answered NOT_UNDERSTOOD and left as it is.
 *
 * Rejects when Redis does not serve, however the library says so: the entry stays for whoever takes it over.
 */
export async function tryEntry(
  entry: OutboxEntry,
  { state, logger, carryOut }: TryEntry,
): Promise<StepToDispatch[] | typeof NOT_UNDERSTOOD> {
  const { runId } = entry;
  const tried = await tryOften(carryOut);
  if ('done' in tried) return tried.done;
  const { error, code } = tried;
  if (code === 'DEFINITION_NOT_UNDERSTOOD') {
    logger.error({ runId, error }, 'a definition does not compile here; leaving its outbox entry to other schedulers');
    return NOT_UNDERSTOOD;
  }
  // A definition that is gone: its runs were pruned, or data was lost. Repeating the entry would not bring it back.
  if (code === 'RUN_NOT_FOUND') logger.warn({ runId, code }, 'dropping an outbox entry whose run no longer exists');
  else await giveUp(entry, error, { state, logger });
  return [];
}

async function giveUp(
  entry: OutboxEntry,
  error: unknown,
  { state, logger }: Pick<TryEntry, 'state' | 'logger'>,
): Promise<void> {
  const { runId, what } = entry;
  const key = entry.what === 'step' ? entry.key : undefined;
  const message = error instanceof Error ? error.message : String(error);
  logger.error({ runId, what, key, error }, 'an outbox entry cannot be processed; marking its run (or cleanup) failed');
  // Our own typed errors are what scripts and reads say of damaged data; anything else is a defect of ours.
  const reason = isFlotillaError(error) ? 'DATA_CORRUPTION' : 'INTERNAL';
  await failDamaged({ runId, key }, { state, logger }, message, reason);
}
