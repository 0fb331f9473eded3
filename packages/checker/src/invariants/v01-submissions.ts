import type { RunStarted } from '@flotilla/contracts';
import type { ClientCall, Recording, StartCall } from '../recording.ts';
import type { Bounds, Invariant, Violation } from '../violation.ts';
import { excusedBy, unwrittenAgeMs } from './excuses.ts';

type Acknowledged = StartCall & { answer: RunStarted };

const isAcknowledged = (call: ClientCall): call is Acknowledged => call.kind === 'start' && call.answer !== undefined;

export const v01: Invariant = {
  id: 'V1',
  title: 'Every acknowledged submission is there as a run, and one idempotency key or run id names one run.',
  check: ({ recording, bounds }) => {
    const acknowledged = recording.calls.filter(isAcknowledged);
    const known = new Set(recording.runs.map(({ run }) => run.runId));
    const lost = findLost(acknowledged, known, bounds, recording);
    // What has gone with Redis is made anew when it is asked for again, and its key then names another run.
    const gone = new Set(lost.flatMap(({ runId, unwrittenAgeMs: ageMs }) => (ageMs === undefined ? [] : runId)));
    const rest = acknowledged.filter(({ answer }) => !gone.has(answer.runId));
    return [...lost, ...findDoubled(rest, 'idempotencyKey'), ...findDoubled(rest, 'runId')];
  },
};

function findLost(
  calls: readonly Acknowledged[],
  known: ReadonlySet<string>,
  bounds: Bounds,
  recording: Recording,
): Violation[] {
  const missing = calls.filter((call) => !known.has(call.answer.runId) && !mayBeLost(call, bounds));
  return Array.from(
    Map.groupBy(missing, ({ answer }) => answer.runId),
    ([runId, same]) => ({
      invariant: 'V1',
      runId,
      message: 'its submission was acknowledged and there is no such run',
      evidence: same,
      ...excusedBy(goneWithRedis(same, recording)),
    }),
  );
}

/** The age of the oldest of the acknowledgements of a run, when Redis may have written none of them. */
function goneWithRedis(calls: readonly Acknowledged[], recording: Recording): number | undefined {
  const ages = calls.map((call) => (call.answer.durability === 'fast' ? unwrittenAgeMs(recording, call) : undefined));
  return ages.every((ageMs) => ageMs !== undefined) ? Math.max(...ages) : undefined;
}

function mayBeLost({ startAt, endAt, answer }: Acknowledged, { lossWindows = [] }: Bounds): boolean {
  return (
    answer.durability === 'fast' && lossWindows.some((window) => startAt <= window.endAt && endAt >= window.startAt)
  );
}

function findDoubled(calls: readonly Acknowledged[], name: 'idempotencyKey' | 'runId'): Violation[] {
  const byName = Map.groupBy(
    // With both, the key decides which run it is.
    calls.filter(
      ({ request }) => request[name] !== undefined && (name !== 'runId' || request.idempotencyKey === undefined),
    ),
    ({ request }) => request[name],
  );
  const found: Violation[] = [];
  for (const [value, same] of byName) {
    const runIds = new Set(same.map(({ answer }) => answer.runId));
    if (runIds.size === 1 && (name === 'idempotencyKey' || runIds.has(value!))) continue;
    const message = `submissions with the ${name} ${value} were answered with ${[...runIds].join(', ')}`;
    found.push({ invariant: 'V1', message, evidence: same });
  }
  return found;
}
