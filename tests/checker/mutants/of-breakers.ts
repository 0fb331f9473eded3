import type { DraftEvent, DraftRecording, Mutant, Place } from './mutant.ts';
import { insert, MUCH_LATER_MS, pickFrom, placesOf, shiftFrom, viewOf } from './mutant.ts';

const SOON_MS = 700;

/** Where an attempt that tested the way back found none: its breaker stays open. */
const failedProbes = (recording: DraftRecording): Place[] =>
  placesOf(recording, (event, run) => isParked(event) && run.events.some((other) => isBefore(other, event)));

const isParked = ({ type, data }: DraftEvent) =>
  type === 'step-parked' && String(data?.['reason']).startsWith('breaker:');
const isBefore = (other: DraftEvent, { stepId, seq }: DraftEvent) =>
  isParked(other) && other.stepId === stepId && other.seq < seq;
const probeCalls = ({ dependencyCalls, breakers }: DraftRecording) => {
  const openedAt = firstOpening(breakers).since;
  return dependencyCalls.filter(({ at, answered }) => !answered && at > openedAt + SOON_MS);
};
const firstOpening = (breakers: DraftRecording['breakers']) =>
  breakers.flatMap((sighting) => sighting.breakers).find(({ state }) => state === 'open')!;

function addCall({ dependencyCalls }: DraftRecording, breaker: string, at: number): void {
  dependencyCalls.push({ at, breaker, answered: false });
  dependencyCalls.sort((a, b) => a.at - b.at);
}

export const V19: readonly Mutant[] = [
  {
    name: 'a dependency is called twice in a probe interval while its breaker is open',
    mutate(recording, chance) {
      const { breaker, at } = pickFrom(chance, probeCalls(recording), 'call that tested the way back');
      addCall(recording, breaker, at + 1);
    },
  },
  {
    name: 'a dependency is called before the first probe is due',
    mutate(recording) {
      const { name, since } = firstOpening(recording.breakers);
      addCall(recording, name, since + SOON_MS);
    },
  },
  {
    name: 'an attempt is charged while its breaker is open',
    mutate(recording, chance) {
      const { run, event, index } = pickFrom(chance, failedProbes(recording), 'probe that failed');
      const end = run.events.findLast(
        ({ type, stepId, seq }) => type === 'attempt-cancelled' && stepId === event.stepId && seq < event.seq,
      )!;
      Object.assign(end, {
        type: 'attempt-failed',
        data: { type: 'retryable', code: 'HTTP_STEP_FAILED', message: 'no' },
      });
      const retry: DraftEvent = { seq: 0, at: event.at, type: 'retry-scheduled', data: { delayMs: 0 } };
      insert({ run }, index, { ...retry, ...(event.stepId === undefined ? {} : { stepId: event.stepId }) });
      viewOf(run, event.stepId).attempts += 1;
    },
  },
  {
    name: 'a parked step does not come back when its breaker is closed',
    mutate(recording, chance) {
      const last = placesOf(recording, isParked).filter(
        ({ run, event }) => !run.events.some((other) => isParked(other) && isBefore(event, other)),
      );
      const { run, index } = pickFrom(chance, last, 'step that was parked for the last time');
      shiftFrom(run, index + 1, MUCH_LATER_MS);
    },
  },
];
