import { FlotillaError, type HistoryEvent, type RunLedger } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import { criticalPath } from './critical-path.ts';
import { timeLedger } from './time-ledger.ts';

const PAGE = 1000;
/** Beyond that the answer would take too long; the rest of the run's time is `overhead`. */
const MAX_EVENTS = 200_000;

/** What a run's time was spent on. @throws FlotillaError RUN_NOT_FOUND */
export async function readLedger(state: State<Plan>, runId: string): Promise<RunLedger> {
  const run = await state.readRun(runId);
  if (run === undefined) throw new FlotillaError('RUN_NOT_FOUND', `there is no run ${runId}`);
  const plan = await state.readPlan(state.tagOf(runId), run.definitionHash);
  // The clock after the run: one that has not ended was under way then.
  const asOf = run.endedAt ?? (await state.now());
  const { events, truncated } = await readEvents(state, runId);
  const until = Math.max(asOf, events.at(-1)?.at ?? asOf);
  const ends = run.endedAt ?? until;
  const kinds = new Map(plan.steps.map(({ id, kind }) => [id, kind]));
  const known = events.filter(({ at }) => at <= ends);
  const steps = plan.steps.map(({ id, needs }) => ({ id, needs: needs.map((need) => plan.steps[need]?.id ?? '') }));
  return {
    runId,
    wallMs: ends - run.createdAt,
    asOf: ends,
    parts: timeLedger(known, ends, (stepId) => kinds.get(stepId)),
    criticalPath: criticalPath(known, steps, { createdAt: run.createdAt, asOf: ends }),
    truncated,
  };
}

async function readEvents(state: State<Plan>, runId: string): Promise<{ events: HistoryEvent[]; truncated: boolean }> {
  const events: HistoryEvent[] = [];
  let after = -1;
  while (events.length < MAX_EVENTS) {
    const page = await state.readHistory(runId, { after, limit: PAGE });
    events.push(...page.events);
    if (page.events.length < PAGE) return { events, truncated: false };
    after = page.next;
  }
  return { events, truncated: true };
}
