import type { Logger } from '@flotilla/telemetry';
import { failDamaged } from '../fail-damaged.ts';
import { tryOften } from '../try-often.ts';
import type { ChannelDependencies } from './channel-steps.ts';

export interface TryChannel extends ChannelDependencies {
  logger: Logger;
  carryOut: () => Promise<void>;
}

/**
 * Serves a channel, and makes an end of one that cannot be served although Redis answers: repeated for ever its entry would
 * hold up the entries beside it, and the runs that wait at it would hang. They fail; the channel is listed as damaged.
 *
 * Rejects when Redis does not serve: the entry stays for whoever takes it over.
 */
export async function tryChannel(channel: string, dependencies: TryChannel): Promise<void> {
  const tried = await tryOften(dependencies.carryOut);
  if ('error' in tried) await giveChannelUp(channel, dependencies, tried.error);
}

/** Fails the runs that wait at a channel which cannot be served. */
export async function giveChannelUp(
  channel: string,
  { state, channels, logger }: Omit<TryChannel, 'carryOut'>,
  error: unknown,
): Promise<void> {
  const runs = await channels.waitingRuns(channel);
  logger.error(
    { channel, runs: runs.length, error },
    'a channel cannot be served; the runs that wait at it are failed',
  );
  const message = `the channel ${channel} that a step waits at cannot be served`;
  for (const runId of runs) await failDamaged({ runId }, { state, logger }, message);
}
