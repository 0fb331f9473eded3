import type { StepKey } from '@flotilla/state';
import type { ReferenceRun } from './reference-run.ts';

/** Counts a settled item of a map that runs: may settle the map, or let another item start. */
export function countItem(
  run: ReferenceRun,
  mapStep: number,
  succeeded: boolean,
): { outcome: 'succeeded' | 'failed' | 'more'; nextItem: StepKey | undefined } {
  const key = String(mapStep);
  const step = run.steps.get(key)!;
  const map = step.map!;
  if (succeeded) map.succeeded += 1;
  else map.failed += 1;
  if (map.failed > map.tolerated) {
    step.state = 'failed';
    if (map.isRetried) map.next = map.items;
    delete map.isRetried;
    return { outcome: 'failed', nextItem: undefined };
  }
  if (map.succeeded + map.failed === map.items) {
    step.state = 'map-succeeded';
    delete map.isRetried;
    run.event('step-succeeded', key);
    return { outcome: 'succeeded', nextItem: undefined };
  }
  if (!run.isActive) return { outcome: 'more', nextItem: undefined };
  // Items of a retried map that had succeeded are passed over.
  while (map.isRetried && run.steps.get(`${key}.${map.next}`)?.state === 'succeeded') map.next += 1;
  if (map.next === map.items) return { outcome: 'more', nextItem: undefined };
  map.next += 1;
  return { outcome: 'more', nextItem: `${key}.${map.next - 1}` };
}
