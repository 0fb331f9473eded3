import type { AgentView } from '@flotilla/contracts';
import type { KnownAgent } from './agent-directory.ts';

export interface ViewedAt {
  /** Redis' clock, ms. */
  now: number;
  lostAfterMs: number;
  /** Redis was away until a moment ago: silence means nothing yet. */
  isSettling: boolean;
}

/** An agent as users see it. */
export function viewOf(agent: KnownAgent, at: ViewedAt): AgentView {
  const { identity, sign, lastSeenAt } = agent;
  const { totalSucceeded: _, totalFailed: __, handlers: ___, ...performance } = sign.work;
  return { ...identity, ...standingOf(agent, at), performance, load: sign.load, lastSeenAt };
}

function standingOf(
  { identity, sign, lastSeenAt, health, drainingSince }: KnownAgent,
  { now, lostAfterMs, isSettling }: ViewedAt,
): Pick<AgentView, 'status' | 'reason' | 'since' | 'intake'> {
  const isUnseen = now - lastSeenAt > lostAfterMs;
  if (isUnseen && (!isSettling || health?.lostAt !== undefined)) {
    return { status: 'lost', reason: 'unseen', since: lastSeenAt + lostAfterMs, intake: 'none' };
  }
  if (sign.draining) {
    return { status: 'draining', reason: 'drain-requested', since: drainingSince ?? lastSeenAt, intake: 'none' };
  }
  if (health === undefined) return { status: 'healthy', since: identity.startedAt, intake: 'all' };
  const { status, reason, since, intake } = health;
  return { status, reason, since, intake };
}
