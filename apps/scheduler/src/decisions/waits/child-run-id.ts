import { createHash } from 'node:crypto';
import { createRunId } from '@flotilla/state';

/** The same for every repetition; another one when the step runs again in another opening of its run. */
export function childRunId(partitions: number, parent: { runId: string; key: string; opening: number }): string {
  const { runId, key, opening } = parent;
  const hash = createHash('sha256').update(`${runId}|${key}|${opening}`).digest();
  const partition = createRunId(hash.readUInt32BE(0) % partitions).split('-', 1)[0];
  return `${partition}-${hash.toString('hex').slice(0, 24)}-child`;
}
