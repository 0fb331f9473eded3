import type { Plan } from '@flotilla/engine';
import type { AttemptObservation, AttemptObserver, ObservedAttempt } from '@flotilla/executor';
import type { State } from '@flotilla/state';
import { parseTraceparent, type TraceParent, type Tracing } from '@flotilla/telemetry';
import { LRUCache } from 'lru-cache';

/** Chains of the same run come again and again. */
const MAX_RUNS = 10_000;

export interface TraceAttemptsOptions {
  tracing: Tracing;
  state: Pick<State<Plan>, 'run'>;
  workerId: string;
}

/** Makes a span of each attempt. An attempt that somebody else has ended is shown by who ended it. */
export function traceAttempts({ tracing, state, workerId }: TraceAttemptsOptions): AttemptObserver {
  const parents = new LRUCache<string, Promise<TraceParent | undefined>>({ max: MAX_RUNS });
  const parentOf = ({ address: { runId, tag } }: ObservedAttempt) => {
    let parent = parents.get(runId);
    if (parent === undefined) {
      parent = readParent(state, runId, tag);
      parents.set(runId, parent);
      // Out of reach now is not out of reach for ever; this attempt stands in the trace that follows from the run's id.
      parent.catch(() => parents.delete(runId));
    }
    return parent.catch(() => undefined);
  };
  return {
    begin: async (attempt): Promise<AttemptObservation> => {
      const { address, workflow, stepId, use, isCleanup, startedAt } = attempt;
      const run = { runId: address.runId, workflow, parent: await parentOf(attempt) };
      const span = tracing.beginAttempt({
        ...{ run, stepId, use, isCleanup, startedAt, agentId: workerId },
        ...{ attemptId: address.attemptId, attempt: attempt.attempt },
      });
      return {
        logFields: span.logFields,
        within: (call) => span.within(call),
        end: (end) => {
          if (end.outcome !== 'refused') span.end(end);
        },
      };
    },
  };
}

async function readParent(
  state: Pick<State<Plan>, 'run'>,
  runId: string,
  tag: string,
): Promise<TraceParent | undefined> {
  return parseTraceparent((await state.run(runId, tag).readTraceparent()) ?? '');
}
