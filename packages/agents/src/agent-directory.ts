import type { AgentIntake, AgentView } from '@flotilla/contracts';
import { defineScript, type RedisClient, runScript } from '@flotilla/redis';
import { agentKeys } from './agent-keys.ts';
import type { AgentIdentity, Heartbeat } from './heartbeat.ts';
import { viewOf } from './view-of-agent.ts';

// KEYS: seen, signs, health, revision. ARGV: signs since (Redis ms), revision that is known.
// Returns Redis' clock in ms, the revision, 1 when these are all agents, then four items for each: id, last sign (ms),
// sign, judgement. Of an unchanged revision only those that gave a sign are looked at.
const LOOK = defineScript({
  name: 'look-at-agents',
  numberOfKeys: 4,
  lua: `#!lua flags=no-writes
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local revision = redis.call('GET', KEYS[4]) or '0'
local all = revision ~= ARGV[2]
local found = redis.call('ZRANGEBYSCORE', KEYS[1], all and '-inf' or ARGV[1], '+inf', 'WITHSCORES')
local reply = { string.format('%.0f', now), revision, all and 1 or 0 }
for first = 1, #found, 1000 do
  local ids = {}
  for index = first, math.min(#found, first + 999), 2 do ids[#ids + 1] = found[index] end
  local signs = redis.call('HMGET', KEYS[2], unpack(ids))
  local health = redis.call('HMGET', KEYS[3], unpack(ids))
  for index = 1, #ids do
    reply[#reply + 1] = ids[index]
    reply[#reply + 1] = found[first + index * 2 - 1]
    reply[#reply + 1] = signs[index] or ''
    reply[#reply + 1] = health[index] or ''
  end
end
return reply`,
});

/** All agents are read again this often, whatever the revision says. */
const READ_ALL_MS = 10_000;
/** So long without a look means that Redis or this process stood still: agents get a moment to be heard of again. */
const GAP_MS = 5000;
const GRACE_MS = 4000;

/** The part of a kept judgement that is looked at here; the rest is the engine's. */
export interface KeptHealth {
  status: 'healthy' | 'probation' | 'unhealthy';
  reason: AgentView['reason'] & string;
  since: number;
  intake: AgentIntake;
  lostAt?: number;
}

export interface KnownAgent {
  identity: AgentIdentity;
  sign: Heartbeat;
  /** Redis' clock, ms. */
  lastSeenAt: number;
  health: KeptHealth | undefined;
  /** As it is stored, for comparing; '' when there is none. */
  healthText: string;
  /** When it was first seen to drain. */
  drainingSince: number | undefined;
}

export interface AgentDirectoryOptions {
  client: RedisClient;
  namespace: string;
  /** Not seen for this long: lost. */
  lostAfterMs: number;
}

/**
 * Who is in the fleet, kept up to date at a flat price: one command a look, which carries only the agents that gave a sign
 * of life since the last one; identities are read once.
 */
export class AgentDirectory {
  readonly #options: AgentDirectoryOptions;
  readonly #agents = new Map<string, KnownAgent>();
  readonly #identities = new Map<string, AgentIdentity>();
  #revision = '';
  #now = 0;
  #since = 0;
  #readAllAt = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #graceUntil = 0;
  #looking: Promise<void> | undefined;

  constructor(options: AgentDirectoryOptions) {
    this.#options = options;
  }

  /** Redis' clock at the last look, ms. */
  get now(): number {
    return this.#now;
  }

  get agents(): Iterable<KnownAgent> {
    return this.#agents.values();
  }

  get(agentId: string): KnownAgent | undefined {
    return this.#agents.get(agentId);
  }

  /** True while agents that were not heard of may only have had no chance to be. */
  get isSettling(): boolean {
    return this.#now < this.#graceUntil;
  }

  /** Looks at Redis; several who ask at once share one look. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** The agents as users see them, the longest-running first. Looks first when the last look is older than `maxAgeMs`. */
  async list(maxAgeMs = 0): Promise<AgentView[]> {
    if (performance.now() - this.#lookedAt >= maxAgeMs) await this.look();
    return this.views();
  }

  /** As of the last look. */
  views(): AgentView[] {
    const judge = { now: this.#now, lostAfterMs: this.#options.lostAfterMs, isSettling: this.isSettling };
    return Array.from(this.#agents.values(), (agent) => viewOf(agent, judge)).sort((a, b) => a.startedAt - b.startedAt);
  }

  async #look(): Promise<void> {
    const { client, namespace } = this.#options;
    const { seen, signs, health, revision } = agentKeys(namespace);
    const startedAt = performance.now();
    const readAll = startedAt - this.#readAllAt >= READ_ALL_MS;
    const reply = await runScript<(string | number)[]>(
      client,
      LOOK,
      [seen, signs, health, revision],
      [this.#since, readAll ? '' : this.#revision],
    );
    const [now, newRevision, isAll] = [Number(reply[0]), String(reply[1]), reply[2] === 1];
    const rows: { id: string; signedAt: number; signText: string; healthText: string }[] = [];
    for (let index = 3; index < reply.length; index += 4) {
      const [id, score, signText, healthText] = reply.slice(index, index + 4).map(String);
      rows.push({ id: id!, signedAt: Number(score), signText: signText!, healthText: healthText! });
    }
    await this.#readIdentities(rows.map(({ id }) => id));
    if (this.#now > 0 && now - this.#now > GAP_MS) this.#graceUntil = now + GRACE_MS;
    if (isAll) {
      const present = new Set(rows.map(({ id }) => id));
      for (const id of this.#agents.keys()) if (!present.has(id)) this.#forget(id);
      this.#readAllAt = startedAt;
    }
    for (const row of rows) this.#take(row);
    this.#now = now;
    this.#revision = newRevision;
    this.#since = now;
    this.#lookedAt = performance.now();
  }

  #take(row: { id: string; signedAt: number; signText: string; healthText: string }): void {
    const { id, signedAt, signText, healthText } = row;
    const identity = this.#identities.get(id);
    if (identity === undefined || signText === '') return;
    const sign = JSON.parse(signText) as Heartbeat;
    const known = this.#agents.get(id);
    const health =
      known?.healthText === healthText
        ? known.health
        : healthText === ''
          ? undefined
          : (JSON.parse(healthText) as KeptHealth);
    const lastSeenAt = signedAt - sign.ageMs;
    const drainingSince = sign.draining ? (known?.drainingSince ?? lastSeenAt) : undefined;
    this.#agents.set(id, { identity, sign, lastSeenAt, health, healthText, drainingSince });
  }

  async #readIdentities(ids: readonly string[]): Promise<void> {
    const { client, namespace } = this.#options;
    const wanted = ids.filter((id) => !this.#identities.has(id));
    if (wanted.length === 0) return;
    const texts = await client.hmget(agentKeys(namespace).agents, ...wanted);
    for (const [index, text] of texts.entries()) {
      if (text !== null) this.#identities.set(wanted[index]!, JSON.parse(text) as AgentIdentity);
    }
  }

  #forget(id: string): void {
    this.#agents.delete(id);
    this.#identities.delete(id);
  }
}
