import { type ChaosResult, faultOf } from '@flotilla/chaos';
import { testPromise } from './promise.ts';

testPromise('F25 runs that are cancelled by several at once, at any moment, end once and within 3 s', {
  fault: 'F25',
  times: 3,
  further: { 'every run that took the cancellation has ended 3 s later': findLateEnds },
});

function findLateEnds({ faults, recording }: ChaosResult): string[] {
  const { boundMs } = faultOf('F25');
  const victims = new Map(faults.flatMap(({ cancelled = [], endAt }) => cancelled.map((runId) => [runId, endAt])));
  return recording.runs.flatMap(({ run }) => {
    const cancelledAt = victims.get(run.runId);
    if (cancelledAt === undefined) return [];
    const tookMs = (run.endedAt ?? Number.POSITIVE_INFINITY) - cancelledAt;
    return tookMs > boundMs ? [`${run.runId} is ${run.status} after ${tookMs} ms`] : [];
  });
}
