/** Where a metric is told: every app has those of its process. */
export const APPS = ['scheduler', 'worker', 'dashboard'] as const;
export type App = (typeof APPS)[number];

export interface MetricDefinition {
  /** Counters are shown to Prometheus with `_total`, histograms as `_bucket`, `_sum` and `_count`. */
  kind: 'counter' | 'gauge' | 'histogram';
  /** As UCUM has it. */
  unit: string;
  help: string;
  /** Attributes. None holds ids of runs, steps or attempts: their number would have no bound. */
  labels: readonly string[];
  apps: readonly App[];
  /** Upper bounds of a histogram's buckets, in its unit. */
  buckets?: readonly number[];
}

/** From a millisecond to an hour: a step may be a cache lookup or a training run. */
const DURATION_BUCKETS_MS = [
  1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 3_600_000,
];
const REQUEST_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Every metric of Flotilla. The names are public: dashboards and alerts are built on them, and docs/reference/metrics.md is
 * generated from this table. What all schedulers read from Redis each of them tells: take the maximum over schedulers.
 */
export const METRICS = {
  workflow_step_duration_ms: {
    kind: 'histogram',
    unit: 'ms',
    help: 'Time of an attempt, from its claim to its end',
    labels: ['workflow', 'handler', 'outcome'],
    apps: ['worker'],
    buckets: DURATION_BUCKETS_MS,
  },
  workflow_retry_attempts: {
    kind: 'counter',
    unit: '{attempt}',
    help: 'Attempts of a step after its first',
    labels: ['workflow', 'handler'],
    apps: ['worker'],
  },
  active_workflows: {
    kind: 'gauge',
    unit: '{run}',
    help: 'Runs that have not ended, by status. Read from Redis',
    labels: ['status'],
    apps: ['scheduler'],
  },
  flotilla_runs: {
    kind: 'gauge',
    unit: '{run}',
    help: 'Runs that are kept, by status, those that have ended included. Read from Redis',
    labels: ['status'],
    apps: ['scheduler'],
  },
  flotilla_runs_waiting: {
    kind: 'gauge',
    unit: '{run}',
    help: 'Runs that wait, by the kind of their reason; a run may wait for several. Read from Redis',
    labels: ['reason'],
    apps: ['scheduler'],
  },
  flotilla_runs_started_total: {
    kind: 'counter',
    unit: '{run}',
    help: 'Runs that were accepted; `deduplicated`: the call repeated an earlier one',
    labels: ['deduplicated'],
    apps: ['scheduler'],
  },
  flotilla_queue_wait_ms: {
    kind: 'histogram',
    unit: 'ms',
    help: 'From when the oldest step of a task was ready until a worker fetched the task',
    labels: ['queue'],
    apps: ['worker'],
    buckets: DURATION_BUCKETS_MS,
  },
  flotilla_schedule_lag_ms: {
    kind: 'histogram',
    unit: 'ms',
    help: 'From when the oldest of the steps handed out together was ready until it was in its queue',
    labels: [],
    apps: ['scheduler'],
    buckets: DURATION_BUCKETS_MS,
  },
  flotilla_outbox_depth: {
    kind: 'gauge',
    unit: '{entry}',
    help: 'Entries of the outboxes that no scheduler has carried out. Read from Redis',
    labels: [],
    apps: ['scheduler'],
  },
  flotilla_due_lag_ms: {
    kind: 'gauge',
    unit: 'ms',
    help: 'How late the most overdue timer is; 0 when none is. Read from Redis',
    labels: [],
    apps: ['scheduler'],
  },
  flotilla_lease_losses_total: {
    kind: 'counter',
    unit: '{attempt}',
    help: 'Attempts that this scheduler found lost with their worker',
    labels: [],
    apps: ['scheduler'],
  },
  flotilla_fenced_commits_total: {
    kind: 'counter',
    unit: '{attempt}',
    help: 'Ends of attempts that were refused, because the attempt was no longer the current one',
    labels: ['handler'],
    apps: ['worker'],
  },
  flotilla_attempts_running: {
    kind: 'gauge',
    unit: '{attempt}',
    help: 'Attempts under way in this worker',
    labels: [],
    apps: ['worker'],
  },
  flotilla_slots: {
    kind: 'gauge',
    unit: '{slot}',
    help: 'Attempts that this worker may run at once: `configured`, and `allowed` now',
    labels: ['kind'],
    apps: ['worker'],
  },
  flotilla_breaker_state: {
    kind: 'gauge',
    unit: '1',
    help: '0 closed, 1 half-open, 2 open. Read from Redis',
    labels: ['breaker'],
    apps: ['scheduler'],
  },
  flotilla_breaker_parked: {
    kind: 'gauge',
    unit: '{step}',
    help: 'Steps that a breaker keeps waiting. Read from Redis',
    labels: ['breaker'],
    apps: ['scheduler'],
  },
  flotilla_agents: {
    kind: 'gauge',
    unit: '{agent}',
    help: 'Agents by status. Read from Redis',
    labels: ['status'],
    apps: ['scheduler'],
  },
  flotilla_agent_events_total: {
    kind: 'counter',
    unit: '{event}',
    help: 'Changes of the health of agents that this scheduler has told',
    labels: ['type'],
    apps: ['scheduler'],
  },
  flotilla_storage_used_ratio: {
    kind: 'gauge',
    unit: '1',
    help: 'Memory of Redis, of its maxmemory; 0 when it has none',
    labels: [],
    apps: ['scheduler'],
  },
  flotilla_redis_memory_bytes: {
    kind: 'gauge',
    unit: 'By',
    help: 'Memory that Redis uses; of a Cluster, its fullest master',
    labels: [],
    apps: ['scheduler'],
  },
  flotilla_dead_letters_total: {
    kind: 'counter',
    unit: '{step}',
    help: 'Dead letters that were redriven or discarded',
    labels: ['action'],
    apps: ['scheduler'],
  },
  flotilla_runs_with_failed_cleanups: {
    kind: 'gauge',
    unit: '{run}',
    help: 'Ended runs of which compensations or cleanups failed permanently. Read from Redis',
    labels: [],
    apps: ['scheduler'],
  },
  flotilla_cleanup_retries_total: {
    kind: 'counter',
    unit: '{cleanup}',
    help: 'Failed cleanups that were retried',
    labels: [],
    apps: ['scheduler'],
  },
  flotilla_signals_total: {
    kind: 'counter',
    unit: '{signal}',
    help: 'Signals that were accepted',
    labels: [],
    apps: ['scheduler'],
  },
  flotilla_loop_turns_total: {
    kind: 'counter',
    unit: '{turn}',
    help: 'Turns of the loops',
    labels: ['loop'],
    apps: ['scheduler'],
  },
  flotilla_http_requests_total: {
    kind: 'counter',
    unit: '{request}',
    help: 'Requests by route and status',
    labels: ['method', 'route', 'status'],
    apps: ['scheduler', 'dashboard'],
  },
  flotilla_http_request_seconds: {
    kind: 'histogram',
    unit: 's',
    help: 'Time to answer',
    labels: ['route'],
    apps: ['scheduler', 'dashboard'],
    buckets: REQUEST_BUCKETS_SECONDS,
  },
  flotilla_http_requests_in_flight: {
    kind: 'gauge',
    unit: '{request}',
    help: 'Requests that are being worked on',
    labels: [],
    apps: ['scheduler'],
  },
  flotilla_http_connections: {
    kind: 'gauge',
    unit: '{connection}',
    help: 'Open connections',
    labels: [],
    apps: ['scheduler'],
  },
  flotilla_http_event_streams: {
    kind: 'gauge',
    unit: '{stream}',
    help: 'Open event streams',
    labels: [],
    apps: ['scheduler'],
  },
  flotilla_event_loop_lag_ms: {
    kind: 'gauge',
    unit: 'ms',
    help: 'Delay of the event loop in the last second, by quantile',
    labels: ['quantile'],
    apps: APPS,
  },
  flotilla_process_memory_bytes: {
    kind: 'gauge',
    unit: 'By',
    help: 'Memory of the process: `rss`, and `heap` in use',
    labels: ['kind'],
    apps: APPS,
  },
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;

type NamesOfKind<Kind> = {
  [Name in MetricName]: (typeof METRICS)[Name]['kind'] extends Kind ? Name : never;
}[MetricName];

export type CounterName = NamesOfKind<'counter'>;
export type GaugeName = NamesOfKind<'gauge'>;
export type HistogramName = NamesOfKind<'histogram'>;
/** Each label of the metric, and no other. */
export type LabelsOf<Name extends MetricName> = Readonly<Record<(typeof METRICS)[Name]['labels'][number], string>>;
