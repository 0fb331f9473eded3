import type { AgentView, BreakerView, Problem, Report } from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { State } from '@flotilla/state';
import { type FleetFacts, FRESH_MS, judgeFleet } from './judge-fleet.ts';

export interface ReportSources {
  state: State<Plan>;
  listAgents: () => Promise<readonly AgentView[]>;
  listBreakers: () => Promise<readonly BreakerView[]>;
  /** Of the loops, and of how Redis is set up and how full it is. */
  findProblems: () => readonly Problem[];
}

const MAX_ERRORS = 100;

/** Whether the fleet is healthy, and if not, what is wrong and what to do next. */
export async function readReport(sources: ReportSources): Promise<Report> {
  return judgeFleet(await readFacts(sources));
}

async function readFacts({ state, listAgents, listBreakers, findProblems }: ReportSources): Promise<FleetFacts> {
  const at = await state.now();
  const [health, agents, breakers, counts, back, backlog] = await Promise.all([
    state.health(),
    listAgents(),
    listBreakers(),
    state.countRuns({}),
    state.listErrorGroups({ state: 'back', limit: MAX_ERRORS }),
    state.readBacklog({ deadSince: at - FRESH_MS }),
  ]);
  return {
    ...{ at, agents, breakers, counts },
    problems: [...health.problems, ...findProblems()],
    redisLatencyMs: health.latencyMs,
    errorsBack: back.errors,
    freshDeadRuns: backlog.deadRuns,
    outboxLagMs: backlog.oldestOutboxAt === undefined ? 0 : Math.max(0, at - backlog.oldestOutboxAt),
    oldestPendingAt: backlog.oldestPendingAt,
  };
}
