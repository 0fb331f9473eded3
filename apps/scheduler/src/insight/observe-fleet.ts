import type { AgentDirectory } from '@flotilla/agents';
import {
  AGENT_STATUSES,
  type BREAKER_STATES,
  isTerminalRunStatus,
  RUN_STATUSES,
  WAIT_REASONS,
} from '@flotilla/contracts';
import type { Plan } from '@flotilla/engine';
import type { StorageWatch } from '@flotilla/redis';
import type { State } from '@flotilla/state';
import type { Meters, Reading } from '@flotilla/telemetry';
import type { BreakerView } from '../decisions/breaker-view.ts';

export interface FleetSources {
  state: Pick<State<Plan>, 'countRuns' | 'readLag' | 'countFailedCleanups'>;
  directory: AgentDirectory;
  breakers: Pick<BreakerView, 'listBreakers'>;
  storage: Pick<StorageWatch, 'share' | 'usedBytes'>;
}

/** What a scrape may use again of what others have read. */
const FRESH_AGENTS_MS = 500;

/** Has what the deployment is doing read from Redis at each scrape: no scrape, no read. Each source fails by itself. */
export function observeFleet(meters: Meters, { state, directory, breakers, storage }: FleetSources): void {
  meters.observe(['active_workflows', 'flotilla_runs', 'flotilla_runs_waiting'], async () => {
    const { status, waiting } = await state.countRuns({});
    return [
      ...RUN_STATUSES.flatMap((name): Reading[] => {
        const reading = { value: status[name] ?? 0, labels: { status: name } };
        const kept: Reading = { name: 'flotilla_runs', ...reading };
        return isTerminalRunStatus(name) ? [kept] : [kept, { name: 'active_workflows', ...reading }];
      }),
      // Kinds alone: subjects are as many as users name.
      ...WAIT_REASONS.map(
        (reason): Reading => ({ name: 'flotilla_runs_waiting', value: waiting[reason] ?? 0, labels: { reason } }),
      ),
    ];
  });
  meters.observe(['flotilla_outbox_depth', 'flotilla_due_lag_ms'], async () => {
    const { outboxEntries, overdueMs } = await state.readLag();
    return [
      { name: 'flotilla_outbox_depth', value: outboxEntries, labels: {} },
      { name: 'flotilla_due_lag_ms', value: overdueMs, labels: {} },
    ];
  });
  meters.observe(['flotilla_runs_with_failed_cleanups'], async () => [
    { name: 'flotilla_runs_with_failed_cleanups', value: await state.countFailedCleanups(), labels: {} },
  ]);
  meters.observe(['flotilla_breaker_state', 'flotilla_breaker_parked'], async () =>
    (await breakers.listBreakers()).flatMap(({ name: breaker, state: is, parked }): Reading[] => [
      { name: 'flotilla_breaker_state', value: BREAKER_RANK[is], labels: { breaker } },
      { name: 'flotilla_breaker_parked', value: parked, labels: { breaker } },
    ]),
  );
  meters.observe(['flotilla_agents'], async () => {
    const agents = await directory.list(FRESH_AGENTS_MS);
    return AGENT_STATUSES.map((status) => ({
      name: 'flotilla_agents',
      value: agents.filter((agent) => agent.status === status).length,
      labels: { status },
    }));
  });
  meters.observe(['flotilla_storage_used_ratio', 'flotilla_redis_memory_bytes'], () => [
    { name: 'flotilla_storage_used_ratio', value: storage.share, labels: {} },
    { name: 'flotilla_redis_memory_bytes', value: storage.usedBytes, labels: {} },
  ]);
}

const BREAKER_RANK: Readonly<Record<(typeof BREAKER_STATES)[number], number>> = { closed: 0, 'half-open': 1, open: 2 };
