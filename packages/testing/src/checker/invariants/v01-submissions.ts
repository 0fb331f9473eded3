import type { RunStarted } from '@flotilla/contracts';
import type { ClientCall, StartCall } from '../recording.ts';
import type { Bounds, Invariant, Violation } from '../violation.ts';

type Acknowledged = StartCall & { answer: RunStarted };

const isAcknowledged = (call: ClientCall): call is Acknowledged => call.kind === 'start' && call.answer !== undefined;

export const v01: Invariant = {
  id: 'V1',
  title: 'Every acknowledged submission is there as a run, and one idempotency key or run id names one run.',
  check: ({ recording, bounds }) => {
    const acknowledged = recording.calls.filter(isAcknowledged);
    const known = new Set(recording.runs.map(({ run }) => run.runId));
    return [
      ...findLost(acknowledged, known, bounds),
      ...findDoubled(acknowledged, 'idempotencyKey'),
      ...findDoubled(acknowledged, 'runId'),
    ];
  },
};

function findLost(calls: readonly Acknowledged[], known: ReadonlySet<string>, bounds: Bounds): Violation[] {
  const lost = new Map<string, Acknowledged>();
  for (const call of calls)
    if (!known.has(call.answer.runId) && !mayBeLost(call, bounds)) lost.set(call.answer.runId, call);
  return Array.from(lost, ([runId, call]) => ({
    invariant: 'V1',
    runId,
    message: 'its submission was acknowledged and there is no such run',
    evidence: [call],
  }));
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
