import type { Chance } from '@flotilla/chaos';
import { type DraftRecording, killRedis, type Mutant, pickFrom, TOO_OLD_MS } from './mutant.ts';

const answered = ({ calls }: DraftRecording) =>
  calls.flatMap((call) =>
    call.kind === 'start' && call.answer !== undefined ? [{ ...call, call, answer: call.answer }] : [],
  );

/** Nothing of an acknowledged run is left; gives the moment at which it was last acknowledged. */
export function forgetRun(recording: DraftRecording, chance: Chance): number {
  const ended = recording.runs.filter(({ run }) => run.status === 'succeeded');
  const known = new Set(answered(recording).map(({ answer }) => answer.runId));
  const { runId } = pickFrom(
    chance,
    ended.filter(({ run }) => known.has(run.runId)),
    'acknowledged run',
  ).run;
  recording.runs = recording.runs.filter(({ run }) => run.runId !== runId);
  for (const listing of recording.listings) {
    listing.runs = listing.runs.filter((run) => run.runId !== runId);
    listing.counts['succeeded']! -= 1;
  }
  const scan = recording.scans.at(-1)!;
  scan.keys = scan.keys.filter(({ key }) => !key.endsWith(`:${runId}`));
  const definitions = new Set(recording.runs.map(({ run }) => run.definitionHash));
  scan.keys = scan.keys.filter(({ key }) => !key.includes('}:d:') || definitions.has(key.split('}:d:')[1]!));
  for (const name of ['}:runs', '}:ended']) {
    const index = scan.keys.find(({ key, size = 0 }) => key.endsWith(name) && size > 0);
    if (index?.size !== undefined) index.size -= 1;
  }
  return Math.max(...answered(recording).flatMap(({ answer, call }) => (answer.runId === runId ? [call.endAt] : [])));
}

export const V1: readonly Mutant[] = [
  {
    name: 'the whole system forgets an acknowledged run',
    mutate(recording, chance) {
      forgetRun(recording, chance);
    },
  },
  {
    name: 'a run is gone that was acknowledged more than 2 s before Redis was killed',
    mutate(recording, chance) {
      killRedis(recording, forgetRun(recording, chance), TOO_OLD_MS);
    },
  },
  {
    name: 'one idempotency key names two runs',
    mutate(recording, chance) {
      const [first] = recording.runs.toSorted((one, other) => one.run.createdAt - other.run.createdAt);
      const { runId } = first!.run;
      const keyed = answered(recording).filter(
        ({ request, answer }) => request.idempotencyKey !== undefined && answer.runId !== runId,
      );
      const twice = keyed.filter(({ call, request }) =>
        keyed.some((other) => other.call !== call && other.request.idempotencyKey === request.idempotencyKey),
      );
      pickFrom(chance, twice, 'key that was answered twice').answer.runId = runId;
    },
  },
  {
    name: 'a submission with a run id is answered with another',
    mutate(recording, chance) {
      const { call } = pickFrom(chance, answered(recording), 'answered submission');
      const { idempotencyKey: _, ...request } = call.request;
      call.request = { ...request, runId: 'asked-for' };
    },
  },
];
