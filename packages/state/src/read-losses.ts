import type { RedisClient } from '@flotilla/redis';
import { stateKey } from './keys.ts';
import { lossesField } from './run-fields.ts';
import type { StepAddress } from './transitions/addresses.ts';

/** An attempt that was lost. */
export interface Loss {
  /** The worker that had claimed it. */
  worker: string;
  /** The attempt had a process to itself, and that ended while the worker lived. */
  alone: boolean;
}

/** With whom the attempts of a step were lost, the last at the end; at most the last twenty. */
export async function readLosses(client: RedisClient, { tag, runId, key }: StepAddress): Promise<Loss[]> {
  return parseLosses(await client.hget(stateKey(tag, 'run', runId), lossesField(key)));
}

function parseLosses(stored: string | null | undefined): Loss[] {
  if (stored == null || stored === '') return [];
  return stored.split(',').map((name) => {
    const alone = name.endsWith('!');
    return { worker: alone ? name.slice(0, -1) : name, alone };
  });
}
