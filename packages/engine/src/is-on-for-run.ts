import { createHash } from 'node:crypto';
import type { Flags, RunFlagName } from '@flotilla/contracts';

/**
 * Whether a flag is on for a run: by a hash of flag and run id, so that every process says the same, a run keeps its answer
 * while the percentage stays or grows, and two flags do not choose the same runs.
 */
export function isOnForRun(flags: Pick<Flags, RunFlagName>, name: RunFlagName, runId: string): boolean {
  const percent = flags[name];
  if (percent >= 100) return true;
  if (percent <= 0) return false;
  const digest = createHash('sha256').update(`${name}\n${runId}`).digest();
  return digest.readUInt32BE(0) / 2 ** 32 < percent / 100;
}
