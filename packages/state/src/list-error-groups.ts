import type { ErrorGroup, ErrorGroupAction, ErrorGroupState } from '@flotilla/contracts';
import { FlotillaError } from '@flotilla/contracts';
import type { RedisClient } from '@flotilla/redis';
import { deploymentKeys, stateKey } from './keys.ts';
import { compareRunEntries } from './list-runs.ts';
import { allTags, invalidCursor, type ReadDependencies } from './read-runs.ts';

export interface ErrorGroupQuery {
  state?: ErrorGroupState | undefined;
  cursor?: string | undefined;
  limit: number;
}

/** What one partition, or several together, have of a group. */
type GroupPart = Omit<ErrorGroup, 'state' | 'stateSince' | 'exampleRunId'> & {
  example: { runId: string; createdAt: number } | undefined;
};

interface Decision {
  state: 'resolved' | 'ignored';
  at: number;
}

/** The groups of all partitions, the one seen last first. A partition has 500 at most, so they are read whole. */
export async function listErrorGroups(
  dependencies: ReadDependencies,
  { state, cursor, limit }: ErrorGroupQuery,
): Promise<{ errors: ErrorGroup[]; cursor?: string }> {
  const seen = await readLastSeen(dependencies);
  const decisions = parseDecisions(await dependencies.client.hgetall(stateKeyOf(dependencies)));
  const position = parseCursor(cursor);
  const behind = [...seen]
    .map(([fingerprint, lastSeenAt]) => ({ fingerprint, lastSeenAt }))
    .filter((group) => position === undefined || compareGroups(position, group) < 0)
    .filter((group) => state === undefined || stateOf(group.lastSeenAt, decisions.get(group.fingerprint)) === state)
    .sort(compareGroups);
  const page = behind.slice(0, limit);
  const groups = await Promise.all(
    page.map(({ fingerprint }) => readGroup(dependencies, fingerprint, decisions.get(fingerprint))),
  );
  const errors = groups.filter((group) => group !== undefined);
  const last = page.at(-1);
  return behind.length > limit && last !== undefined ? { errors, cursor: formatCursor(last) } : { errors };
}

/** Undefined when there is no such group. */
async function readErrorGroup(dependencies: ReadDependencies, fingerprint: string): Promise<ErrorGroup | undefined> {
  const decision = await dependencies.client.hget(stateKeyOf(dependencies), fingerprint);
  return readGroup(dependencies, fingerprint, decision == null ? undefined : parseDecision(decision));
}

/** Notes what somebody decided of a group, on Redis' clock. @throws FlotillaError ERROR_GROUP_NOT_FOUND */
export async function decideErrorGroup(
  dependencies: ReadDependencies,
  fingerprint: string,
  action: ErrorGroupAction,
): Promise<ErrorGroup> {
  const { client } = dependencies;
  const known = await readErrorGroup(dependencies, fingerprint);
  if (known === undefined) throw new FlotillaError('ERROR_GROUP_NOT_FOUND', `there is no error group ${fingerprint}`);
  if (action === 'reopen') {
    await client.hdel(stateKeyOf(dependencies), fingerprint);
  } else {
    const state = action === 'resolve' ? 'resolved' : 'ignored';
    await client.hset(stateKeyOf(dependencies), fingerprint, `${state}|${await nowOf(client)}`);
  }
  return (await readErrorGroup(dependencies, fingerprint)) ?? known;
}

async function nowOf(client: RedisClient): Promise<number> {
  const [seconds, micros] = await client.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

/** By fingerprint: when it occurred last. */
async function readLastSeen({ client, namespace, partitions }: ReadDependencies): Promise<Map<string, number>> {
  const lists = await Promise.all(
    allTags(namespace, partitions).map((tag) => client.zrange(stateKey(tag, 'errors'), '0', '-1', 'WITHSCORES')),
  );
  const seen = new Map<string, number>();
  for (const list of lists) {
    for (let index = 0; index < list.length; index += 2) {
      const fingerprint = list[index]!;
      seen.set(fingerprint, Math.max(seen.get(fingerprint) ?? 0, Number(list[index + 1])));
    }
  }
  return seen;
}

async function readGroup(
  { client, namespace, partitions }: ReadDependencies,
  fingerprint: string,
  decision: Decision | undefined,
): Promise<ErrorGroup | undefined> {
  const parts = await Promise.all(allTags(namespace, partitions).map((tag) => readPart(client, tag, fingerprint)));
  const known = parts.filter((part) => part !== undefined);
  if (known.length === 0) return undefined;
  const { example, ...whole } = known.reduce(joinParts);
  return {
    ...whole,
    state: stateOf(whole.lastSeenAt, decision),
    ...(decision !== undefined && { stateSince: decision.at }),
    ...(example !== undefined && { exampleRunId: example.runId }),
  };
}

async function readPart(client: RedisClient, tag: string, fingerprint: string): Promise<GroupPart | undefined> {
  const runsKey = stateKey(tag, 'errorRuns', fingerprint);
  const [fields, runs, newest] = await Promise.all([
    client.hgetall(stateKey(tag, 'errorGroup', fingerprint)),
    client.zcard(runsKey),
    client.zrevrange(runsKey, 0, 0, 'WITHSCORES'),
  ]);
  if (fields['count'] === undefined) return undefined;
  const [runId, createdAt] = newest;
  return {
    fingerprint,
    code: fields['code'] ?? '',
    type: fields['type'] ?? '',
    ...(fields['handler'] && { handler: fields['handler'] }),
    message: fields['message'] ?? '',
    count: Number(fields['count']),
    firstSeenAt: Number(fields['first'] ?? 0),
    lastSeenAt: Number(fields['last'] ?? 0),
    runs,
    example: runId === undefined ? undefined : { runId, createdAt: Number(createdAt) },
  };
}

function joinParts(one: GroupPart, other: GroupPart): GroupPart {
  const examples = [one.example, other.example].filter((example) => example !== undefined);
  return {
    ...one,
    count: one.count + other.count,
    runs: one.runs + other.runs,
    firstSeenAt: Math.min(one.firstSeenAt, other.firstSeenAt),
    lastSeenAt: Math.max(one.lastSeenAt, other.lastSeenAt),
    example: examples.sort(compareRunEntries)[0],
  };
}

/** A group that occurs again after it was resolved is back. */
function stateOf(lastSeenAt: number, decision: Decision | undefined): ErrorGroupState {
  if (decision === undefined) return 'open';
  return decision.state === 'resolved' && lastSeenAt > decision.at ? 'back' : decision.state;
}

const stateKeyOf = ({ namespace }: ReadDependencies) => deploymentKeys(namespace).errorStates;

function parseDecisions(stored: Record<string, string>): Map<string, Decision> {
  return new Map(
    Object.entries(stored).flatMap(([fingerprint, text]) => {
      const decision = parseDecision(text);
      return decision === undefined ? [] : [[fingerprint, decision] as const];
    }),
  );
}

function parseDecision(text: string): Decision | undefined {
  const match = /^(resolved|ignored)\|(\d{1,15})$/.exec(text);
  return match === null ? undefined : { state: match[1] as Decision['state'], at: Number(match[2]) };
}

interface SeenGroup {
  fingerprint: string;
  lastSeenAt: number;
}

function compareGroups(a: SeenGroup, b: SeenGroup): number {
  if (a.lastSeenAt !== b.lastSeenAt) return b.lastSeenAt - a.lastSeenAt;
  return a.fingerprint < b.fingerprint ? -1 : a.fingerprint > b.fingerprint ? 1 : 0;
}

function formatCursor({ fingerprint, lastSeenAt }: SeenGroup): string {
  return Buffer.from(`${lastSeenAt}|${fingerprint}`).toString('base64url');
}

function parseCursor(cursor: string | undefined): SeenGroup | undefined {
  if (cursor === undefined) return undefined;
  const match = /^(\d{1,15})\|([0-9a-f]{16})$/.exec(Buffer.from(cursor, 'base64url').toString());
  if (match === null) throw invalidCursor();
  return { lastSeenAt: Number(match[1]), fingerprint: match[2]! };
}
