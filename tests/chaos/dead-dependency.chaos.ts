import { type ChaosResult, type MadeFault, PROBE_INTERVAL_MS } from '@flotilla/chaos';
import { testPromise } from './promise.ts';

/** Of the whole fleet; that there are no more than one an interval is V19. */
const LEAST_CALLS_SHARE = 0.4;
/** What was parked comes back over 45 s, after a probe and the ramp. */
const ALL_BACK_MS = 75_000;
const MOST_SHARE_OF_A_SECOND = 0.05;

testPromise(
  'F26 a dependency that is dead is asked once an interval, costs no attempt, and gets its steps back in time',
  {
    fault: 'F26',
    workers: 4,
    further: {
      'most steps waited, and the way back was tested all the time': findIdleOutages,
      'every step is made within 75 s of its return': findLateEnds,
      'no second of the return has more than 5 % of the steps': findHerds,
    },
  },
);

const outagesOf = ({ faults }: ChaosResult) =>
  faults.flatMap((fault) => (fault.outage === undefined ? [] : [{ ...fault, ...fault.outage }]));

const callsOf = ({ recording }: ChaosResult, breaker: string) =>
  recording.dependencyCalls.filter((call) => call.breaker === breaker).map(({ at }) => at);

const nameOf = ({ planned }: MadeFault) => `fault ${planned.number} (${planned.variant.name})`;

function findIdleOutages(result: ChaosResult): string[] {
  return outagesOf(result).flatMap((fault) => {
    const { breaker, openedAt, endAt, parked, steps } = fault;
    const calls = callsOf(result, breaker).filter((at) => at > openedAt + PROBE_INTERVAL_MS / 2 && at < endAt);
    const least = Math.floor(((endAt - openedAt) / PROBE_INTERVAL_MS) * LEAST_CALLS_SHARE);
    return [
      ...(calls.length < least ? [`${nameOf(fault)}: ${calls.length} calls, not ${least}`] : []),
      ...(parked < steps / 2 ? [`${nameOf(fault)}: ${parked} of ${steps} steps were parked`] : []),
    ];
  });
}

function findLateEnds(result: ChaosResult): string[] {
  return outagesOf(result).flatMap((fault) =>
    result.recording.runs
      .filter(({ run }) => fault.runIds.includes(run.runId))
      .filter(
        ({ run: { status, endedAt = Number.POSITIVE_INFINITY } }) =>
          status !== 'succeeded' || endedAt - fault.endAt > ALL_BACK_MS,
      )
      .map(({ run }) => `${nameOf(fault)}: ${run.runId} is ${run.status} ${(run.endedAt ?? 0) - fault.endAt} ms after`),
  );
}

function findHerds(result: ChaosResult): string[] {
  return outagesOf(result).flatMap((fault) => {
    const back = callsOf(result, fault.breaker).filter((at) => at >= fault.endAt);
    const perSecond = Map.groupBy(back, (at) => Math.floor((at - back[0]!) / 1000));
    return Array.from(perSecond, ([second, { length }]) => ({ second, length }))
      .filter(({ length }) => length > fault.steps * MOST_SHARE_OF_A_SECOND)
      .map(({ second, length }) => `${nameOf(fault)}: ${length} calls in second ${second}`);
  });
}
