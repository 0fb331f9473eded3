/**
 * What the keys of a deployment are for, read from their names: the checker's own knowledge of what is written down in
 * `packages/state/src/keys.ts` and `packages/agents/src/agent-keys.ts`. A key that is not known here belongs to nobody.
 */
const PARTITION_KEYS: Readonly<Record<string, string>> = {
  out: 'outbox',
  due: 'due',
  lease: 'lease',
  workers: 'workers',
  reclaim: 'reclaim',
  cancels: 'cancels',
  runs: 'runs',
  ended: 'ended',
  dead: 'dead',
  unclean: 'failed-cleanups',
  waits: 'waits',
  changed: 'changed',
  ids: 'ids',
  errors: 'errors',
  approvals: 'approvals',
  decided: 'decided-approvals',
  channels: 'channels',
  untraced: 'untraced',
};
const PARTITION_KEYS_WITH_ID: Readonly<Record<string, string>> = {
  r: 'run',
  h: 'history',
  p: 'paused',
  d: 'definition',
  i: 'idempotency',
  w: 'by-workflow',
  t: 'by-tag',
  l: 'dead-letters',
  b: 'parked-behind',
  x: 'by-facet',
  y: 'waiting',
  e: 'error-group',
  f: 'error-runs',
  ch: 'channel',
  cl: 'channel-log',
  g: 'logs',
};
const DEPLOYMENT_KEYS: ReadonlySet<string> = new Set([
  'agents',
  'agents:seen',
  'agents:signs',
  'agents:health',
  'agents:revision',
  'agents:events',
  'workflows',
  'workflows:versions',
  'durations',
  'breakers',
  'breakers:seen',
  'errors:states',
  'bulks',
  'bulks:open',
  'queues',
  'deployment',
]);

export interface KeyPlace {
  area: 'partition' | 'deployment' | 'queue';
  /** Such as `outbox` or `run`; of a queue BullMQ's word, `task` for the hash of a task. */
  name: string;
  /** Of what, such as a run id. */
  id: string;
}

/** Undefined: a key that nobody knows. */
export function placeOf(key: string, namespace: string): KeyPlace | undefined {
  const match = /^\{([^}]*)\}:(.*)$/s.exec(key);
  if (match === null) return undefined;
  const [, tag = '', rest = ''] = match;
  if (tag === namespace) {
    if (rest.startsWith('retries:')) return { area: 'deployment', name: 'retries', id: rest.slice('retries:'.length) };
    if (rest.startsWith('bulk:')) return { area: 'deployment', name: 'bulk', id: rest.slice('bulk:'.length) };
    return DEPLOYMENT_KEYS.has(rest) ? { area: 'deployment', name: rest, id: '' } : undefined;
  }
  if (!tag.startsWith(`${namespace}:`)) return undefined;
  const part = tag.slice(namespace.length + 1);
  if (part.startsWith('q:')) return queuePlace(part.slice(2), rest);
  if (!/^\d+$/.test(part)) return undefined;
  const alone = PARTITION_KEYS[rest];
  if (alone !== undefined) return { area: 'partition', name: alone, id: '' };
  const name = PARTITION_KEYS_WITH_ID[rest.slice(0, rest.indexOf(':'))];
  return name === undefined ? undefined : { area: 'partition', name, id: rest.slice(rest.indexOf(':') + 1) };
}

function queuePlace(queue: string, rest: string): KeyPlace | undefined {
  if (!rest.startsWith(`${queue}:`)) return undefined;
  const name = rest.slice(queue.length + 1);
  return { area: 'queue', name: /^t-[0-9a-f]+(:lock)?$/.test(name) ? 'task' : name, id: queue };
}
