import type {
  AgentView,
  BreakerView,
  ErrorGroup,
  Finding,
  FindingCode,
  Problem,
  Report,
  RunCounts,
  Verdict,
} from '@flotilla/contracts';

/** What a verdict is made of, read at one moment. */
export interface FleetFacts {
  /** Redis' clock. */
  at: number;
  agents: readonly AgentView[];
  breakers: readonly BreakerView[];
  counts: RunCounts;
  /** Of the loops of this scheduler, of how Redis is set up and how full it is. */
  problems: readonly Problem[];
  redisLatencyMs: number;
  /** Groups that were resolved and have occurred since. */
  errorsBack: readonly ErrorGroup[];
  /** Runs that have dead letters, ended lately. */
  freshDeadRuns: number;
  /** How long the oldest entry waits to be read. */
  outboxLagMs: number;
  /** When the oldest pending run was created. */
  oldestPendingAt: number | undefined;
}

type Found = Omit<Finding, 'code'> & { code: FindingCode };

const SLOW_REDIS_MS = 100;
const OUTBOX_LAG_MS = 10_000;
const QUEUE_STALLED_MS = 60_000;
/** Dead letters of the last quarter of an hour count. */
export const FRESH_MS = 900_000;

/** Deterministic: the same facts give the same verdict. The worst finding decides. */
export function judgeFleet(facts: FleetFacts): Report {
  const findings = [
    ...redisFindings(facts),
    ...loopFindings(facts),
    ...workerFindings(facts),
    ...waitFindings(facts),
    ...errorFindings(facts),
  ].sort((a, b) => rankOf(a) - rankOf(b));
  const verdict: Verdict = findings[0]?.severity ?? 'ok';
  return { verdict, summary: summaryOf(verdict, findings), at: facts.at, findings };
}

const rankOf = ({ severity }: Found) => (severity === 'failing' ? 0 : 1);

function summaryOf(verdict: Verdict, [first, ...others]: readonly Found[]): string {
  if (first === undefined) return 'Everything works.';
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return `${verdict === 'failing' ? 'Failing' : 'Degraded'}: ${first.message}${more}`;
}

function redisFindings({ problems, redisLatencyMs }: FleetFacts): Found[] {
  const found: Found[] = [];
  for (const { code, message } of problems) {
    if (code === 'STORAGE_HOLDING') {
      const next = 'Give Redis more memory (maxmemory), or shorten FLOTILLA_RETENTION_MS so that ended runs go sooner.';
      found.push({ code, severity: 'failing', message: `${message}.`, next, filter: 'waiting=storage' });
    } else if (code === 'STORAGE_REFUSING') {
      const next = 'Give Redis more memory (maxmemory), or shorten FLOTILLA_RETENTION_MS so that ended runs go sooner.';
      found.push({ code: 'STORAGE_FULL', severity: 'failing', message: `${message}.`, next });
    } else if (code !== 'LOOP_STALLED' && code !== 'STORAGE_TIGHT') {
      const next = 'Set Redis up as docs/guides/operating.md says, then look again: `flotilla doctor` checks it.';
      found.push({ code: 'REDIS_MISCONFIGURED', severity: 'failing', message: `${code}: ${message}.`, next });
    }
  }
  if (redisLatencyMs > SLOW_REDIS_MS) {
    const message = `Redis takes ${Math.round(redisLatencyMs)} ms to answer a ping.`;
    const next = 'Look at the load and the slow log of the Redis server (SLOWLOG GET), and at the network to it.';
    found.push({ code: 'REDIS_SLOW', severity: redisLatencyMs > 1000 ? 'failing' : 'degraded', message, next });
  }
  return found;
}

function loopFindings({ problems, outboxLagMs }: FleetFacts): Found[] {
  const found = problems
    .filter(({ code }) => code === 'LOOP_STALLED')
    .map(
      ({ message }): Found => ({
        code: 'LOOP_STALLED',
        severity: 'failing',
        message: `A loop of this scheduler stands still: ${message}.`,
        next: 'Read the log of this scheduler, and restart it if the loop does not move again.',
      }),
    );
  if (outboxLagMs > OUTBOX_LAG_MS) {
    const message = `Steps that are ready have waited for ${Math.round(outboxLagMs / 1000)} s to be handed out.`;
    found.push({
      code: 'OUTBOX_GROWING',
      severity: 'failing',
      message,
      next: 'Start another scheduler, or look why this one is slow.',
    });
  }
  return found;
}

const isAlive = ({ status }: AgentView) => status !== 'lost' && status !== 'draining';
const plural = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`;

function workerFindings({ agents, counts, at, oldestPendingAt }: FleetFacts): Found[] {
  const alive = agents.filter(isAlive);
  const queued = counts.waiting['queued'] ?? 0;
  const waiting = queued + (counts.waiting['no-handler'] ?? 0);
  const found: Found[] = [];
  if (alive.length === 0 && waiting > 0) {
    const message = `No worker is alive, and ${plural(waiting, 'run')} ${waiting === 1 ? 'waits' : 'wait'}.`;
    const next = 'Start a worker: `node apps/worker/src/main.ts`, or scale the worker service up.';
    found.push({ code: 'NO_WORKERS', severity: 'failing', message, next, runs: waiting, filter: 'waiting=queued' });
  } else if (oldestPendingAt !== undefined && at - oldestPendingAt > QUEUE_STALLED_MS) {
    const seconds = Math.round((at - oldestPendingAt) / 1000);
    const message = `A run has waited for a worker for ${seconds} s; ${plural(queued, 'run')} ${queued === 1 ? 'is' : 'are'} queued.`;
    const next = 'Start more workers, or look with `flotilla why RUN` what holds the oldest one.';
    found.push({
      code: 'QUEUE_STALLED',
      severity: 'degraded',
      message,
      next,
      runs: queued,
      since: oldestPendingAt,
      filter: 'waiting=queued',
    });
  }
  for (const { agentId, status, reason, since } of agents) {
    if (status === 'unhealthy') {
      const message = `Agent ${agentId} is unhealthy (${reason ?? 'no reason given'}) and takes no work.`;
      found.push({
        code: 'AGENT_UNHEALTHY',
        severity: 'degraded',
        message,
        next: `Look at its failures: \`flotilla agents\`, and at the log of ${agentId}.`,
        subject: agentId,
        since,
      });
    }
    if (status === 'lost') {
      const message = `Agent ${agentId} is lost: it has given no heartbeat for longer than its lease.`;
      found.push({
        code: 'AGENT_LOST',
        severity: 'degraded',
        message,
        next: 'Look whether its process or machine is gone; its steps run elsewhere.',
        subject: agentId,
        since,
      });
    }
  }
  return found;
}

function waitFindings({ counts, breakers, agents }: FleetFacts): Found[] {
  const found: Found[] = [];
  const { waiting } = counts;
  const noHandler = waiting['no-handler'] ?? 0;
  if (noHandler > 0 && agents.some(isAlive)) {
    const message = `${plural(noHandler, 'run')} ${noHandler === 1 ? 'waits' : 'wait'} for a handler that no worker has.`;
    const next = 'Deploy a worker with the handler: `flotilla why RUN` names it.';
    found.push({
      code: 'NO_HANDLER',
      severity: 'degraded',
      message,
      next,
      runs: noHandler,
      filter: 'waiting=no-handler',
    });
  }
  for (const { name, state, since, manual, cause } of breakers) {
    if (state === 'closed') continue;
    const runs = waiting[`breaker:${name}`] ?? 0;
    const why = cause === undefined ? '' : ` (${cause})`;
    const message = `Breaker ${name} is ${state}${why}: ${plural(runs, 'run')} ${runs === 1 ? 'waits' : 'wait'} for it.`;
    const next = manual
      ? `It was opened by hand: close it with \`flotilla breakers close ${name}\` when the dependency may be called again.`
      : `Look at ${name} itself; the breaker closes by itself when a trial call succeeds.`;
    found.push({
      code: 'BREAKER_OPEN',
      severity: 'degraded',
      message,
      next,
      subject: name,
      runs,
      since,
      filter: `waiting=breaker:${name}`,
    });
  }
  return found;
}

function errorFindings({ errorsBack, freshDeadRuns }: FleetFacts): Found[] {
  const found = errorsBack.map(
    ({ fingerprint, code, handler, message, lastSeenAt, runs }): Found => ({
      code: 'ERROR_BACK',
      severity: 'degraded',
      message: `An error that was resolved is back: ${code}${handler === undefined ? '' : ` in ${handler}`}: ${message}`,
      next: 'Look at its newest run, and resolve or ignore the group again.',
      subject: fingerprint,
      runs,
      since: lastSeenAt,
      filter: `error=${fingerprint}`,
    }),
  );
  if (freshDeadRuns > 0) {
    const message = `${plural(freshDeadRuns, 'run')} failed for good in the last 15 minutes.`;
    const next = 'Look at `flotilla dead-letters`, mend the cause, and redrive them.';
    found.push({ code: 'DEAD_LETTERS', severity: 'degraded', message, next, runs: freshDeadRuns });
  }
  return found;
}
