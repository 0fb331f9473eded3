import { FlotillaError } from '@flotilla/contracts';
import { type ReadDependencies, tagOfRun } from './read-runs.ts';
import { runStatusOf } from './run-record.ts';
import type { Transitions } from './transitions.ts';

/**
 * Has one compensation or registered cleanup of an ended run made again that failed for good. True when it was being made
 * already. RUN_NOT_FOUND, RUN_STILL_ACTIVE (the run, or another of its cleanups), CLEANUP_NOT_FOUND, NOTHING_TO_RETRY (it has
 * not failed).
 */
export async function retryCleanup(
  dependencies: ReadDependencies & { transitions: Transitions },
  runId: string,
  number: number,
): Promise<boolean> {
  const answer = await dependencies.transitions.retryCleanup(tagOfRun(dependencies, runId), runId, number);
  if (answer.reply === 'gone') throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
  if (answer.reply !== 'refused') return answer.reply === 'already';
  const { why, other } = answer;
  if (why === 'busy')
    throw new FlotillaError('RUN_STILL_ACTIVE', `cleanup ${other} of run ${runId} is being made again`);
  if (why === 'none') throw new FlotillaError('CLEANUP_NOT_FOUND', `run ${runId} has no cleanup ${number}`);
  const status = runStatusOf(why);
  if (why === 'not-failed' || status === 'succeeded') {
    throw new FlotillaError('NOTHING_TO_RETRY', `cleanup ${number} of run ${runId} has not failed`);
  }
  const message = `run ${runId} is ${status}; its cleanups can be made again when it has ended`;
  throw new FlotillaError('RUN_STILL_ACTIVE', message);
}
