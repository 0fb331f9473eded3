import { FlotillaError, type HistoryEvent } from '@flotilla/contracts';
import { decodeHistory } from './history-codec.ts';
import { stateKey } from './keys.ts';
import type { PlanShape } from './plan-shape.ts';
import { type ReadDependencies, tagOfRun } from './read-runs.ts';

/** Events behind `after` (-1: from the first), in order. `next` is what to pass as `after` for the following page. */
export async function readHistory(
  dependencies: ReadDependencies & { plan: PlanShape },
  runId: string,
  createdAt: number,
  page: { after: number; limit: number },
): Promise<{ events: HistoryEvent[]; next: number }> {
  const tag = tagOfRun(dependencies, runId);
  const key = stateKey(tag, 'history', runId);
  const first = page.after + 1;
  // One line more in front: `step-succeeded` is completed from the line before it.
  const from = Math.max(0, first - 1);
  const lines = await dependencies.client.lrange(key, from, first + page.limit - 1);
  const before = first > 0 ? lines.shift() : undefined;
  if (first > 0 && before === undefined && (await dependencies.client.exists(key)) === 0) {
    throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
  }
  const events = decodeHistory(lines, first, createdAt, dependencies.plan, before);
  return { events, next: events.length === 0 ? page.after : events[events.length - 1]!.seq };
}
