import type { Chance } from '@flotilla/chaos';
import type { EventType } from '@flotilla/contracts';
import {
  countOf,
  type DraftRecording,
  hasAfter,
  insert,
  MUCH_LATER_MS,
  type Mutant,
  type Place,
  pickFrom,
  placesOf,
  remove,
  setStatus,
  shiftFrom,
  viewOf,
  workOf,
} from './mutant.ts';

const succeeded = (recording: DraftRecording, chance: Chance) =>
  pickFrom(
    chance,
    recording.runs.filter(({ run }) => run.status === 'succeeded'),
    'succeeded run',
  );

const receiptsOf = ({ calls }: DraftRecording) =>
  calls.flatMap((call) => (call.kind === 'cancel' && call.answer !== undefined ? [call.answer.receipt] : []));

export const V0: readonly Mutant[] = [
  {
    name: 'an event is missing',
    mutate(recording, chance) {
      const { run, index } = pickFrom(
        chance,
        placesOf(recording, ({ type }) => type === 'step-ready'),
        'ready step',
      );
      run.events.splice(index, 1);
    },
  },
  {
    name: 'two events have changed places',
    mutate(recording, chance) {
      const { events } = succeeded(recording, chance);
      [events[0]!.seq, events[1]!.seq] = [events[1]!.seq, events[0]!.seq];
    },
  },
  {
    name: 'the beginning is missing',
    mutate(recording, chance) {
      const run = succeeded(recording, chance);
      remove(run, run.events[0]!);
    },
  },
];

export const V2: readonly Mutant[] = [
  {
    name: 'a run is retried that has not ended',
    mutate(recording) {
      const { run, index } = placesOf(recording, ({ type }) => type === 'run-retried')[0]!;
      remove(run, run.events[index - 1]!);
    },
  },
  {
    name: 'a run ends in two ways',
    mutate(recording, chance) {
      const run = succeeded(recording, chance);
      const end = run.events.find(({ type }) => type === 'run-succeeded')!;
      insert({ run }, end.seq + 1, { ...end, type: 'run-failed' });
    },
  },
  {
    name: 'a run never ends',
    mutate(recording, chance) {
      const { run, event } = pickFrom(
        chance,
        placesOf(recording, ({ type, seq }, { events }) => type === 'run-succeeded' && seq === events.length - 1),
        'run that ends last',
      );
      remove(run, event);
    },
  },
  {
    name: 'a run is shown with another end than its history has',
    mutate(recording, chance) {
      setStatus(recording, succeeded(recording, chance), 'failed');
    },
  },
  {
    name: 'a step becomes ready after the end of its run',
    mutate(recording, chance) {
      const run = succeeded(recording, chance);
      const ready = run.events.find(({ type }) => type === 'step-ready')!;
      insert({ run }, run.events.length, { ...ready, at: run.events.at(-1)!.at });
    },
  },
];

/** Commits of steps that nobody needs. */
const lastCommits = (recording: DraftRecording): Place[] =>
  placesOf(
    recording,
    ({ type, stepId = '' }, { steps, run }) =>
      type === 'step-succeeded' &&
      run.status === 'succeeded' &&
      !stepId.endsWith(']') &&
      !steps.some(({ needs }) => needs?.includes(stepId)),
  );

export const V3: readonly Mutant[] = [
  {
    name: 'a retry commits a step again that had succeeded',
    mutate(recording) {
      const { run, index, event } = placesOf(recording, ({ type }) => type === 'run-retried')[0]!;
      const commit = run.events.find(({ type, stepId }) => type === 'step-succeeded' && stepId === 'a')!;
      insert({ run }, index + 1, { ...commit, at: event.at });
    },
  },
  {
    name: 'a step is committed twice',
    mutate(recording, chance) {
      const place = pickFrom(chance, lastCommits(recording), 'commit');
      insert(place, place.index, place.event);
    },
  },
  {
    name: 'an attempt succeeds twice',
    mutate(recording, chance) {
      const place = pickFrom(
        chance,
        placesOf(recording, ({ type }) => type === 'attempt-succeeded'),
        'success',
      );
      insert(place, place.index, place.event);
    },
  },
  {
    name: 'an attempt succeeds and its step is not committed',
    mutate(recording, chance) {
      const { run, event } = pickFrom(chance, lastCommits(recording), 'commit');
      remove(run, event);
    },
  },
  {
    name: 'a run succeeds with a failed step',
    mutate(recording, chance) {
      const { run, event } = pickFrom(chance, lastCommits(recording), 'commit');
      viewOf(run, event.stepId).status = 'failed';
    },
  },
];

/** An attempt's success and the commit behind it. */
function signatures({ run, event, index }: Place) {
  const behind = run.events[index + 1];
  return behind?.type === 'step-succeeded' && behind.stepId === event.stepId ? [event, behind] : [event];
}

export const V4: readonly Mutant[] = [
  {
    name: 'a commit has another attempt id than the start',
    mutate(recording, chance) {
      const place = pickFrom(
        chance,
        placesOf(recording, ({ type }) => type === 'attempt-succeeded'),
        'success',
      );
      for (const event of signatures(place)) event.attemptId = 'nobody';
    },
  },
  {
    name: 'a failure has a fence that no attempt was given',
    mutate(recording, chance) {
      const { event } = pickFrom(
        chance,
        placesOf(recording, ({ type }) => type === 'attempt-failed'),
        'failure',
      );
      event.fence! += 1;
    },
  },
  {
    name: 'a checkpoint is saved by nobody who started',
    mutate(recording, chance) {
      const { event } = pickFrom(
        chance,
        placesOf(recording, ({ type }) => type === 'checkpoint-saved'),
        'checkpoint',
      );
      event.attemptId = 'nobody';
    },
  },
];

/** Second attempts of steps that have no progress of their own, with the start of the first. */
function secondStarts(recording: DraftRecording): (Place & { first: Place['event'] })[] {
  return placesOf(
    recording,
    ({ type, stepId, seq }, run) =>
      type === 'attempt-started' &&
      countOf(run, stepId, 'checkpoint-saved') === 0 &&
      run.events.filter((event) => event.type === type && event.stepId === stepId && event.seq < seq).length === 1,
  )
    .map((place) => {
      const first = place.run.events.find(
        ({ type, stepId }) => type === place.event.type && stepId === place.event.stepId,
      )!;
      return { ...place, first };
    })
    .filter(({ run, event }) => signedBy(run.events, event).some(({ type }) => type === 'attempt-succeeded'));
}

const signedBy = (events: readonly Place['event'][], { stepId, attemptId }: Place['event']) =>
  events.filter((event) => event.stepId === stepId && event.attemptId === attemptId);

function setFence(recording: DraftRecording, { run, event }: Place, fence: number): void {
  const { stepId } = event;
  for (const effect of recording.effects) {
    if (effect.runId === run.run.runId && effect.stepId === stepId && effect.fence === event.fence)
      effect.fence = fence;
  }
  for (const checkpoint of run.checkpoints ?? []) if (checkpoint.stepId === stepId) checkpoint.fence = fence;
  for (const signed of signedBy(run.events, event)) signed.fence = fence;
}

export const V5: readonly Mutant[] = [
  {
    name: 'an attempt is given a smaller fence than the one before',
    mutate(recording, chance) {
      const place = pickFrom(chance, secondStarts(recording), 'second attempt');
      setFence(recording, place, place.first.fence! - 1);
    },
  },
  {
    name: 'two attempts are given the same fence',
    mutate(recording, chance) {
      const place = pickFrom(chance, secondStarts(recording), 'second attempt');
      setFence(recording, place, place.first.fence!);
    },
  },
  {
    name: 'a superseded attempt commits',
    mutate(recording, chance) {
      const { run, event, first } = pickFrom(chance, secondStarts(recording), 'second attempt');
      const { fence, attemptId } = first;
      for (const signed of signedBy(run.events, event)) {
        if (signed.seq > event.seq) Object.assign(signed, { fence, attemptId });
      }
    },
  },
  {
    name: 'a superseded attempt saves a checkpoint',
    mutate(recording, chance) {
      const place = pickFrom(chance, secondStarts(recording), 'second attempt');
      insert(place, place.index + 1, { ...place.first, type: 'checkpoint-saved', at: place.event.at });
    },
  },
];

export const V6: readonly Mutant[] = [
  {
    name: 'a step starts before its need is committed',
    mutate(recording, chance) {
      const { run, event } = pickFrom(
        chance,
        placesOf(recording, ({ type, stepId }, run) => {
          const { needs = [] } = viewOf(run, stepId) ?? {};
          const isFirst = type === 'attempt-started' && countOf(run, stepId, type) === 1;
          return isFirst && needs.length === 1 && countOf(run, needs[0], 'attempt-succeeded') === 1;
        }),
        'step with a need',
      );
      const [need] = viewOf(run, event.stepId).needs!;
      const success = run.events.find(({ type, stepId }) => type === 'attempt-succeeded' && stepId === need)!;
      const { seq, at } = success;
      remove(run, event);
      insert({ run }, seq, { ...event, at });
    },
  },
  {
    name: 'a step with `any` starts before one of its needs has succeeded',
    mutate(recording, chance) {
      const { run, event } = pickFrom(
        chance,
        placesOf(recording, ({ type, stepId }, run) => {
          const work = workOf(run, stepId);
          return type === 'attempt-started' && work !== undefined && 'join' in work && work.join === 'any';
        }),
        'step with any',
      );
      const needs = viewOf(run, event.stepId).needs ?? [];
      const { seq, at } = run.events.find(
        ({ type, stepId = '' }) => type === 'attempt-succeeded' && needs.includes(stepId),
      )!;
      remove(run, event);
      insert({ run }, seq, { ...event, at });
    },
  },
  {
    name: 'a step is made although its need failed',
    mutate(recording, chance) {
      const place = pickFrom(
        chance,
        placesOf(recording, ({ type, data }) => type === 'step-skipped' && data?.['reason'] === 'upstream-failed'),
        'step that was skipped after a failure',
      );
      const { run, event, index } = place;
      const { stepId, at } = event;
      const attempt = { seq: 0, at, stepId: stepId!, attempt: 1, attemptId: 'made', fence: at };
      remove(run, event);
      insert(
        place,
        index,
        { ...attempt, type: 'attempt-started', worker: 'w-1' },
        { ...attempt, type: 'attempt-succeeded' },
        { ...attempt, type: 'step-succeeded' },
      );
      Object.assign(viewOf(run, stepId), { status: 'succeeded', attempts: 1 });
    },
  },
];

const retried = (recording: DraftRecording) =>
  placesOf(recording, (event, run) => event.type === 'attempt-failed' && hasAfter(run, event, 'retry-scheduled'));
const losses = (recording: DraftRecording) =>
  placesOf(recording, (event, run) => event.type === 'attempt-lost' && hasAfter(run, event, 'attempt-started'));

export const V7: readonly Mutant[] = [
  {
    name: 'a step starts while its last attempt has not ended',
    mutate(recording, chance) {
      const { run, event } = pickFrom(chance, losses(recording), 'lost attempt');
      remove(run, event);
    },
  },
  {
    name: 'the last attempt of a step never ends',
    mutate(recording, chance) {
      const cancelled = placesOf(
        recording,
        ({ type }, { run }) => type === 'attempt-cancelled' && run.cleanups === undefined,
      );
      const { run, event } = pickFrom(chance, cancelled, 'cancelled attempt');
      remove(run, event);
      for (const receipt of receiptsOf(recording)) {
        if (receipt.runId === run.run.runId)
          receipt.stoppedSteps = receipt.stoppedSteps.filter((stepId) => stepId !== event.stepId);
      }
    },
  },
  {
    name: 'an attempt fails twice',
    mutate(recording, chance) {
      const place = pickFrom(chance, retried(recording), 'failure');
      insert(place, place.index, place.event);
    },
  },
  {
    name: 'a step fails more often than its policy allows',
    mutate(recording, chance) {
      const often = retried(recording).filter(({ run, event }) => countOf(run, event.stepId, event.type) > 1);
      const { run, event } = pickFrom(chance, often, 'step that failed twice');
      const work = workOf(run, event.stepId)!;
      if ('retry' in work) work.retry!.maxAttempts = 1;
    },
  },
  {
    name: 'an attempt is taken from a worker that lives',
    mutate: (recording, chance) => void takeFromLiving(recording, chance),
  },
  {
    name: 'an attempt is taken from a worker long after the fault that hit it',
    mutate(recording, chance) {
      const { worker, at } = takeFromLiving(recording, chance);
      const hitAt = at - MUCH_LATER_MS;
      recording.faults.push({
        ...{ faultId: 'long ago', kind: 'freeze-worker', startAt: hitAt, endAt: hitAt },
        ...{ targets: [worker], proof: ['it stood still'] },
      });
    },
  },
  {
    name: 'a step tells of more lost attempts than its history',
    mutate(recording, chance) {
      const { run, event } = pickFrom(chance, losses(recording), 'lost attempt');
      viewOf(run, event.stepId).lost! += 1;
    },
  },
  {
    name: 'a step is charged for an attempt that was lost',
    mutate(recording, chance) {
      const { run, event } = pickFrom(chance, losses(recording), 'lost attempt');
      viewOf(run, event.stepId).attempts += 1;
    },
  },
];

/** Makes a worker that nothing was done to the one that an attempt was taken from. */
function takeFromLiving(recording: DraftRecording, chance: Chance): { worker: string; at: number } {
  const { run, event } = pickFrom(chance, losses(recording), 'lost attempt');
  const alive = recording.processes.find(
    ({ id, kind, exit }) =>
      kind === 'worker' && exit === undefined && !recording.faults.some(({ targets }) => targets.includes(id)),
  );
  for (const signed of signedBy(run.events, event)) if (signed.worker !== undefined) signed.worker = alive!.id;
  return { worker: alive!.id, at: event.at };
}

const schedules = (recording: DraftRecording) =>
  placesOf(recording, (event, run) => event.type === 'retry-scheduled' && hasAfter(run, event, 'attempt-started'));

export const V8: readonly Mutant[] = [
  {
    name: 'a retry does not wait for its backoff',
    mutate(recording, chance) {
      pickFrom(chance, schedules(recording), 'retry').event.data = { delayMs: MUCH_LATER_MS };
    },
  },
  {
    name: 'a retry comes much later than decided',
    mutate(recording, chance) {
      const { run, index } = pickFrom(chance, schedules(recording), 'retry');
      shiftFrom(run, index + 1, MUCH_LATER_MS);
    },
  },
  {
    name: 'a failed step is tried again and nobody decided that',
    mutate(recording, chance) {
      const { run, event } = pickFrom(chance, schedules(recording), 'retry');
      remove(run, event);
    },
  },
  {
    name: 'a step is tried again after a permanent error',
    mutate(recording, chance) {
      pickFrom(chance, retried(recording), 'failure').event.data!['type'] = 'non_retryable';
    },
  },
];

const cancellations = (recording: DraftRecording) =>
  placesOf(recording, ({ type }, { run }) => type === 'cancel-requested' && run.status === 'cancelled');

const cleanupsOf = (recording: DraftRecording, wanted: EventType) => placesOf(recording, ({ type }) => type === wanted);
const isMade = (type: EventType) => type.startsWith('cleanup-') && type !== 'cleanup-registered';

export const V10: readonly Mutant[] = [
  {
    name: 'an attempt starts after the run was cancelled',
    mutate(recording, chance) {
      const place = pickFrom(
        chance,
        placesOf(recording, (event, run) => event.type === 'attempt-cancelled' && run.run.status === 'cancelled'),
        'cancelled attempt',
      );
      const { index, event } = place;
      const again = { ...event, attemptId: 'again', fence: event.fence! + 1 };
      insert(place, index + 1, { ...again, type: 'attempt-started' }, again);
    },
  },
  {
    name: 'a cancelled run ends in another way',
    mutate(recording, chance) {
      const { run } = pickFrom(chance, cancellations(recording), 'cancelled run');
      run.events.find(({ type }) => type === 'run-cancelled')!.type = 'run-failed';
      setStatus(recording, run, 'failed');
    },
  },
  {
    name: 'an acknowledged cancellation is not in the history',
    mutate(recording, chance) {
      const { run, event } = pickFrom(chance, cancellations(recording), 'cancelled run');
      remove(run, event);
    },
  },
  {
    name: 'a caller is told of another end than the run has',
    mutate(recording, chance) {
      const told = recording.calls.flatMap((call) =>
        call.kind === 'cancel' && call.answer !== undefined ? [call.answer] : [],
      );
      pickFrom(chance, told, 'answer to a cancellation').status = 'succeeded';
    },
  },
  {
    name: 'a cancelled run takes too long to end',
    mutate(recording, chance) {
      const { run, index } = pickFrom(chance, cancellations(recording), 'cancelled run');
      shiftFrom(run, index + 1, MUCH_LATER_MS);
    },
  },
  {
    name: 'a run takes too long to end because many are cancelled at once',
    mutate(recording, chance) {
      const { run, index, event } = pickFrom(chance, cancellations(recording), 'cancelled run');
      recording.faults.push({
        ...{ faultId: 'storm', kind: 'cancel-storm', startAt: event.at, endAt: event.at + MUCH_LATER_MS },
        ...{ targets: [], proof: ['runs took a cancellation'] },
      });
      shiftFrom(run, index + 1, MUCH_LATER_MS);
    },
  },
  {
    name: 'a caller is told that the cancellation came too late, and it did not',
    mutate(recording, chance) {
      pickFrom(chance, receiptsOf(recording), 'receipt').alreadyEnded = true;
    },
  },
  {
    name: 'a receipt claims a compensation that was not made',
    mutate(recording, chance) {
      pickFrom(chance, receiptsOf(recording), 'receipt').compensated.push('c');
    },
  },
  {
    name: 'a receipt tells that a step waited whose attempt was stopped',
    mutate(recording, chance) {
      const told = receiptsOf(recording).filter(({ stoppedSteps }) => stoppedSteps.length > 0);
      const receipt = pickFrom(chance, told, 'receipt');
      receipt.released.push(receipt.stoppedSteps[0]!);
    },
  },
  {
    name: 'a receipt claims that an attempt ended by itself',
    mutate(recording, chance) {
      pickFrom(chance, receiptsOf(recording), 'receipt').finishedSteps.push('a');
    },
  },
  {
    name: 'a receipt claims that a handler goes on which has stopped',
    mutate(recording, chance) {
      const told = receiptsOf(recording).filter(({ stoppedSteps }) => stoppedSteps.length > 0);
      const receipt = pickFrom(chance, told, 'receipt');
      receipt.abandonedSteps = [receipt.stoppedSteps[0]!];
    },
  },
  {
    name: 'a receipt leaves out what could not be cleaned up',
    mutate(recording) {
      for (const receipt of receiptsOf(recording)) receipt.failedCleanups = [];
    },
  },
  {
    name: 'a compensation is made twice',
    mutate(recording, chance) {
      const place = pickFrom(chance, cleanupsOf(recording, 'cleanup-succeeded'), 'cleanup that was made');
      const { run, event, index } = place;
      const start = run.events.findLast(({ type, seq }) => type === 'cleanup-started' && seq < event.seq)!;
      const again = { attemptId: 'again', fence: event.fence! + 1, at: event.at };
      insert(place, index + 1, { ...start, ...again }, { ...event, ...again });
    },
  },
  {
    name: 'a compensation is never made',
    mutate(recording, chance) {
      const { run, event } = pickFrom(chance, cleanupsOf(recording, 'cleanup-succeeded'), 'cleanup that was made');
      remove(run, ...run.events.filter(({ type, cleanup }) => isMade(type) && cleanup === event.cleanup));
      const told = receiptsOf(recording).filter(({ runId }) => runId === run.run.runId);
      for (const receipt of told) {
        receipt.compensated = receipt.compensated.filter((stepId) => stepId !== event.stepId);
        receipt.cleanedUp = receipt.cleanedUp.filter(({ stepId }) => stepId !== event.stepId);
      }
    },
  },
  {
    name: 'cleanups are made in the order of registration',
    mutate(recording) {
      const { run } = cleanupsOf(recording, 'cleanup-failed')[0]!;
      const made = run.events.filter(({ type }) => isMade(type));
      const numbers = [...new Set(made.map(({ cleanup }) => cleanup!))];
      const turned = numbers.reverse().flatMap((number) => made.filter(({ cleanup }) => cleanup === number));
      const [first] = made;
      const at = run.events.indexOf(first!);
      const times = made.map((event) => event.at);
      turned.forEach((event, index) => {
        event.at = times[index]!;
      });
      run.events.splice(at, made.length, ...turned);
      run.events.forEach((event, seq) => {
        event.seq = seq;
      });
    },
  },
  {
    name: 'a cleanup is made while an attempt of the run is live',
    mutate(recording) {
      const { run } = cleanupsOf(recording, 'cleanup-failed')[0]!;
      const stopped = run.events.find(({ type }) => type === 'attempt-cancelled')!;
      const start = run.events.findIndex(({ type }) => type === 'cleanup-started');
      remove(run, stopped);
      insert({ run }, start, { ...stopped, at: run.events[start]!.at });
    },
  },
  {
    name: 'two cleanups of a run are made at once',
    mutate(recording) {
      const { run } = cleanupsOf(recording, 'cleanup-failed')[0]!;
      const failed = run.events.findIndex(({ type }) => type === 'cleanup-failed');
      const [event] = run.events.splice(failed, 1);
      insert({ run }, failed + 1, { ...event!, at: run.events[failed]!.at });
    },
  },
  {
    name: 'a run that succeeds undoes what it did',
    mutate(recording) {
      const run = recording.runs.find(
        ({ run: { status }, definition }) => status === 'succeeded' && 'compensate' in (definition?.steps['a'] ?? {}),
      )!;
      const end = run.events.at(-1)!;
      const made = { at: end.at, stepId: 'a', cleanup: 0, attempt: 1, attemptId: 'undo', fence: end.at, seq: 0 };
      insert(
        { run },
        run.events.length - 1,
        { ...made, type: 'cleanup-started', worker: 'w-1' },
        { ...made, type: 'cleanup-succeeded' },
      );
    },
  },
  {
    name: 'a run tells of fewer cleanups than failed',
    mutate(recording) {
      cleanupsOf(recording, 'cleanup-failed')[0]!.run.run.cleanups!.failed = 0;
    },
  },
  {
    name: 'a result of a cleanup is taken from an attempt that was not started',
    mutate(recording, chance) {
      pickFrom(chance, cleanupsOf(recording, 'cleanup-succeeded'), 'cleanup that was made').event.fence! += 1;
    },
  },
];
