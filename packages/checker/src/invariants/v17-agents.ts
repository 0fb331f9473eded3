import type { AgentStatus } from '@flotilla/contracts';
import type { AgentSighting, FaultEntry, ProcessEntry } from '../recording.ts';
import type { CheckContext, Invariant, Violation } from '../violation.ts';

/** G11. */
const MOST_MS = 10_000;
/** Between two looks, and from the moment of a look to its answer. */
const LOOK_MS = 1000;
/** Nobody looked for this long: what was shown meanwhile is not known. */
const GAP_MS = 3000;
/** Kinds of faults in which a worker cannot be heard of although its process lives. */
const SILENCING = /^(?:freeze|block|cut-off|half-cut-off)-worker\b/;

export const v17: Invariant = {
  id: 'V17',
  title:
    'An agent that has ended or cannot be heard of is shown as lost within 10 s, and one that lives is not shown as lost, or not at all, for longer.',
  check: (context) =>
    context.recording.processes
      .filter(({ kind }) => kind === 'worker')
      .flatMap((process) => judgeShown(process, context)),
};

/** What was true of an agent, and since when; nothing where it cannot be told. */
type Truth = { is: 'living' | 'gone'; since: number } | undefined;

function judgeShown(process: ProcessEntry, { recording, bounds }: CheckContext): Violation[] {
  const { sightings, faults } = recording;
  const allowedMs = MOST_MS + LOOK_MS + (bounds.clockToleranceMs ?? 250);
  const own = faults.filter(({ targets }) => targets.includes(process.id) || targets.includes('redis'));
  const violations: Violation[] = [];
  let lastLookAt = Number.NEGATIVE_INFINITY;
  /** Since when what is shown is not what is true. */
  let wrongSince: number | undefined;
  let isTold = false;
  for (const sighting of sightings) {
    const truth = truthAt(sighting.at, process, own);
    const isGap = sighting.at - lastLookAt > GAP_MS;
    if (isGap) wrongSince = undefined;
    const shown = shownAs(sighting.agents[process.id]);
    if (truth === undefined || truth.is === shown) {
      wrongSince = undefined;
      isTold = false;
    } else {
      const couldBeSeenAt = isGap ? sighting.at : lastLookAt;
      wrongSince = Math.max(truth.since, wrongSince ?? couldBeSeenAt);
      const wrongMs = sighting.at - wrongSince;
      if (wrongMs > allowedMs && !isTold) {
        isTold = true;
        violations.push(violationOf(process, sighting, truth, wrongMs, own));
      }
    }
    lastLookAt = sighting.at;
  }
  return violations;
}

function truthAt(at: number, { startedAt, exit }: ProcessEntry, faults: readonly FaultEntry[]): Truth {
  if (at < startedAt) return undefined;
  if (exit?.at !== undefined && at >= exit.at) return { is: 'gone', since: exit.at };
  const going = faults.filter((fault) => fault.startAt <= at && at < fault.endAt);
  const silencing = going.filter(({ kind }) => SILENCING.test(kind));
  if (silencing.length > 0) return { is: 'gone', since: Math.min(...silencing.map((fault) => fault.startAt)) };
  if (going.length > 0) return undefined;
  const over = faults.filter(({ endAt }) => endAt <= at).map(({ endAt }) => endAt);
  return { is: 'living', since: Math.max(startedAt, ...over) };
}

/** A worker that was told to end leaves the list: not to be there is to be gone. */
function shownAs(status: AgentStatus | undefined): 'living' | 'gone' {
  return status === undefined || status === 'lost' ? 'gone' : 'living';
}

function violationOf(
  process: ProcessEntry,
  sighting: AgentSighting,
  truth: NonNullable<Truth>,
  wrongMs: number,
  faults: readonly FaultEntry[],
): Violation {
  const shown = sighting.agents[process.id] ?? 'not at all';
  const message = `agent ${process.id} is ${truth.is} since ${truth.since} and was shown as ${shown} for ${wrongMs} ms`;
  return { invariant: 'V17', message, evidence: [{ at: sighting.at, shown }, ...faults] };
}
