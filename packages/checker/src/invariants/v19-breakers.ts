import type { BreakerSighting, FaultEntry } from '../recording.ts';
import { CHARGED } from '../run-facts.ts';
import type { CheckContext, Invariant, Violation } from '../violation.ts';
import { excusedMs } from './excuses.ts';

/** A worker that has not heard yet of the opening may begin a call, or be charged for one, for so long. */
const HEARING_MS = 250;
const DEFAULT_TOLERANCE_MS = 250;
const DEFAULT_LATE_MS = 10_000;
/** Parked steps come back over this long, over longer when there are many. */
const SHORTEST_RETURN_MS = 45_000;
const LONGEST_RETURN_MS = 300_000;
const RETURN_MS_PER_STEP = 60;
/** Kinds of faults in which every worker hears of a breaker as fast as ever. */
const LEAVES_HEARING = /^(?:kill-worker|restart-worker|kill-schedulers|poison-step|cancel-storm|dead-dependency)\b/;

export const v19: Invariant = {
  id: 'V19',
  title:
    'While a breaker is open no attempt is charged for its dependency, which is called at most once in a probe interval by the whole fleet; what it keeps parked comes back when it is closed.',
  check: (context) => {
    const openings = openingsOf(context);
    return [
      ...openings.flatMap((opening) => [...findExcessCalls(opening, context), ...findCharged(opening, context)]),
      ...findUnreleased(openings, context),
    ];
  },
};

/** From the moment in which a breaker opened to the one in which it closed, as far as that was seen. */
interface Opening {
  breaker: string;
  openedAt: number;
  /** When the dependency was known not to be back yet: until it gave a good answer, or the breaker was last seen open. */
  deadUntil: number;
  /** When it was first seen closed again; of one that nobody has used since, when the dependency last answered. */
  backAt: number | undefined;
  mostParked: number;
}

function openingsOf({ recording: { breakers, dependencyCalls } }: CheckContext): Opening[] {
  const openings: Opening[] = [];
  const going = new Map<string, Opening>();
  for (const sighting of breakers) {
    for (const seen of sighting.breakers) {
      const known = going.get(seen.name);
      if (seen.state === 'closed') {
        if (known !== undefined) known.backAt = sighting.at;
        going.delete(seen.name);
        continue;
      }
      // It may have closed and opened again since the last look.
      const isSame = known !== undefined && (seen.state === 'half-open' || seen.since <= known.openedAt);
      const opening = isSame ? known : begin(seen, sighting.at);
      if (!isSame) openings.push(opening);
      going.set(seen.name, opening);
      opening.deadUntil = sighting.at;
      opening.mostParked = Math.max(opening.mostParked, seen.parked);
    }
  }
  for (const opening of openings) {
    const { breaker, openedAt } = opening;
    const good = dependencyCalls.filter((call) => call.breaker === breaker && call.answered && call.at > openedAt);
    opening.deadUntil = Math.min(opening.deadUntil, good[0]?.at ?? Number.POSITIVE_INFINITY);
    opening.backAt ??= good.at(-1)?.at;
  }
  return openings;
}

function begin({ name, state, since }: BreakerSighting['breakers'][number], at: number): Opening {
  // When a breaker that is half-open was opened is not known.
  const openedAt = state === 'open' ? since : at;
  return { breaker: name, openedAt, deadUntil: at, backAt: undefined, mostParked: 0 };
}

function findExcessCalls({ breaker, openedAt, deadUntil }: Opening, context: CheckContext): Violation[] {
  const { recording, bounds } = context;
  const { probeIntervalMs, clockToleranceMs = DEFAULT_TOLERANCE_MS } = bounds;
  if (probeIntervalMs === undefined) return [];
  const calls = recording.dependencyCalls.filter(
    ({ breaker: name, at }) => name === breaker && at > openedAt + HEARING_MS + clockToleranceMs && at <= deadUntil,
  );
  return calls.flatMap((call, index) => {
    const since = calls[index - 1]?.at ?? openedAt;
    if (call.at - since >= probeIntervalMs - clockToleranceMs || isDisturbed(context, since, call.at)) return [];
    const after = index === 0 ? 'it opened' : 'the call before';
    const message = `${breaker} was called ${call.at - since} ms after ${after}, at most once in ${probeIntervalMs} ms is allowed`;
    return [{ invariant: 'V19', message, evidence: calls.slice(Math.max(0, index - 1), index + 1) }];
  });
}

function findCharged({ breaker, openedAt, deadUntil }: Opening, context: CheckContext): Violation[] {
  const heardAt = openedAt + HEARING_MS + (context.bounds.clockToleranceMs ?? DEFAULT_TOLERANCE_MS);
  return context.runs.flatMap(({ runId, events, ruleOf }) =>
    events
      .filter(
        ({ type, stepId = '', at, data }) =>
          CHARGED.has(type) &&
          at > heardAt &&
          at < deadUntil &&
          // A step that is wrong in itself says nothing of the dependency.
          data?.['type'] !== 'non_retryable' &&
          ruleOf(stepId)?.breaker === breaker &&
          !isDisturbed(context, openedAt, at),
      )
      .map((event) => {
        const message = `${event.stepId} is charged an attempt while ${breaker} is open since ${openedAt}`;
        return { invariant: 'V19', runId, message, evidence: [event] };
      }),
  );
}

/** Parked steps that nothing happened to for too long after their breaker had closed for good. */
function findUnreleased(openings: readonly Opening[], { runs, recording, bounds }: CheckContext): Violation[] {
  const { probeIntervalMs = 0, timerLateMs = DEFAULT_LATE_MS } = bounds;
  return runs.flatMap(({ runId, events, terminal }) =>
    events.flatMap((event) => {
      if (event.type !== 'step-parked') return [];
      const next = events.find(({ seq, stepId }) => seq > event.seq && stepId === event.stepId);
      const endAt = next?.at ?? terminal.at(-1)?.at ?? Number.POSITIVE_INFINITY;
      const own = openings.findLast(
        ({ breaker, openedAt }) => event.data?.['reason'] === `breaker:${breaker}` && openedAt < endAt,
      );
      if (own?.backAt === undefined) return [];
      const freeAt = Math.max(own.backAt, event.at);
      if (endAt <= freeAt) return [];
      const returnMs = Math.min(LONGEST_RETURN_MS, Math.max(SHORTEST_RETURN_MS, own.mostParked * RETURN_MS_PER_STEP));
      const mostMs = probeIntervalMs + returnMs + timerLateMs + excusedMs(recording, bounds, freeAt, endAt);
      if (endAt - freeAt <= mostMs) return [];
      const message = `${event.stepId} is parked for ${endAt - freeAt} ms after ${own.breaker} was free`;
      return [{ invariant: 'V19', runId, message, evidence: [event, ...(next === undefined ? [] : [next])] }];
    }),
  );
}

/** Without Redis, or cut off from it, a worker goes by what it has seen itself. */
function isDisturbed({ recording, bounds }: CheckContext, fromAt: number, toAt: number): boolean {
  const isDisturbing = ({ kind }: FaultEntry) => !LEAVES_HEARING.test(kind);
  const faults = recording.faults.filter(isDisturbing);
  return faults.length > 0 && excusedMs({ ...recording, faults }, bounds, fromAt, toAt) > 0;
}
