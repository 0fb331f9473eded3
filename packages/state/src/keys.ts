/**
 * Every key of run state. A *tag* is `{<namespace>:<partition>}`: all keys of one partition share a Redis Cluster slot,
 * so that one script may touch them. The suffixes are handed to the Lua transitions as constants (`K`), and are built
 * nowhere else.
 *
 * | suffix      | type   | lives                       | holds |
 * |-------------|--------|-----------------------------|-------|
 * | `r:<run>`   | HASH   | until pruned                | a run: meta fields, step headers `s`, outputs `o`, counters `g`, map items `i`, chain pointers `c`, progress `k`, progress that was set aside `b`, workers that a step was lost with `q`, cleanups `u` and (by step) `h`, the opening `a`, the opening in which a step that was undone was made again `r`, next items of retried maps `j`, the failed cleanup that is made again `e`, how many steps wait for what `Y`, error groups `E` |
 * | `h:<run>`   | LIST   | until pruned                | its history; index = seq |
 * | `p:<run>`   | SET    | while paused                | step keys that were refused while the run was paused |
 * | `d:<hash>`  | HASH   | while runs refer to it      | `text` of a definition, `runs` that are pinned to it |
 * | `i:<hash>`  | STRING | its TTL                     | idempotency record `runId|bodyHash`; `|r` (reserved) or `|c` (made) follows for a run of another partition |
 * | `out`       | STREAM | entries until acknowledged  | outbox; consumer group `relay` |
 * | `due`       | ZSET   | entries until handled       | `letter|step key|run` by the time it is due |
 * | `lease`     | ZSET   | entries while in flight     | `run|chain head` by the time to look whether its worker lives |
 * | `workers`   | ZSET   | entries until left          | worker by the end of its lease |
 * | `reclaim`   | HASH   | for ever                    | when leases were last looked at; suspended until |
 * | `trials`    | HASH   | a day from the last         | outbox and due entries that may have ended their readers, by the scheduler that carries one out alone |
 * | `cancels`   | ZSET   | entries while runs end      | runs that are ending, by when that began |
 * | `runs`      | ZSET   | entries until pruned        | all runs by creation |
 * | `ended`     | ZSET   | entries until pruned        | ended runs by end |
 * | `w:<name>`  | ZSET   | entries until pruned        | runs of a workflow by creation |
 * | `t:<tag>`   | ZSET   | entries until pruned        | runs with a tag by creation |
 * | `dead`      | ZSET   | entries until none is left  | runs that ended failed or timed out and have dead letters, by end |
 * | `l:<run>`   | ZSET   | entries until made anew     | steps of a run that failed for good, by number: dead letters once the run is in `dead` |
 * | `unclean`   | ZSET   | entries until none is left  | ended runs of which cleanups have failed for good, by end |
 * | `approvals` | ZSET  | entries until decided       | `run|step key` of approvals that wait for a decision, by when they were asked for |
 * | `decided`   | ZSET   | entries until pruned        | `run|step key` of approvals that do not, by when that was |
 * | `b:<name>`  | ZSET   | ten minutes from the last   | `step key|run` that breaker <name> keeps parked, by when they are looked at |
 * | `x:<s>|<w>|<t>` | ZSET | entries until they change | runs of status <s> (its letter), workflow <w> and tag <t>, each of them empty when it does not matter, by creation; of runs that have not ended `<s>||` alone |
 * | `y:<reason>` | ZSET  | entries while they wait     | runs that wait for <reason> (`queued`, `breaker:payments`; of all breakers `breaker`), by creation |
 * | `waits`     | SET    | until found empty           | reasons that have a `y:<reason>`, `queued` apart |
 * | `changed`   | ZSET   | entries for two minutes     | runs by when their status or what they wait for changed last, their end apart |
 * | `ids`       | ZSET   | entries until pruned        | runs by a number made of their id, which their attempts' ids begin with |
 * | `errors`    | ZSET   | the 500 seen last           | error groups (fingerprints) by when they occurred last |
 * | `e:<fingerprint>` | HASH | as long as in `errors`  | an error group: handler, code, type, message, count, first, last |
 * | `g:<run>`   | HASH   | until pruned                | what handlers have logged, by step key: `lines so far|dropped|last chunk` |
 * | `g:<run>|<step>` | LIST | until pruned              | the last thousand lines of a step (JSON) |
 * | `untraced`  | ZSET   | entries until exported      | ended runs whose span is to be exported, by when they are offered again; and, as `|`, up to which end they were taken from `ended` |
 * | `f:<fingerprint>` | ZSET | entries until pruned    | runs in which the group occurred, by creation |
 *
 * Keys of the whole deployment have the tag `{<namespace>}` and are listed in `deploymentKeys`; those of agents in
 * `packages/agents/src/agent-keys.ts`.
 */
export const KEY_SUFFIXES = {
  run: 'r:',
  history: 'h:',
  paused: 'p:',
  definition: 'd:',
  idempotency: 'i:',
  outbox: 'out',
  due: 'due',
  lease: 'lease',
  workers: 'workers',
  reclaim: 'reclaim',
  trials: 'trials',
  cancels: 'cancels',
  runs: 'runs',
  ended: 'ended',
  byWorkflow: 'w:',
  byTag: 't:',
  dead: 'dead',
  deadLetters: 'l:',
  failedCleanups: 'unclean',
  parkedBehind: 'b:',
  approvals: 'approvals',
  decidedApprovals: 'decided',
  facet: 'x:',
  waiting: 'y:',
  waits: 'waits',
  changed: 'changed',
  ids: 'ids',
  errors: 'errors',
  errorGroup: 'e:',
  errorRuns: 'f:',
  logs: 'g:',
  untraced: 'untraced',
} as const;

export type KeySuffix = keyof typeof KEY_SUFFIXES;

/** Consumer group of every outbox. */
export const RELAY_GROUP = 'relay';

/** Pub/sub channels, behind the namespace: hints only, they may be lost. */
export const CHANNELS = { ended: ':ended', aborts: ':aborts', breakers: ':breakers' } as const;

/** `{fl:07}:` of a partition; key suffixes follow it. */
export function partitionTag(namespace: string, partition: number): string {
  return `{${namespace}:${String(partition).padStart(2, '0')}}:`;
}

export function stateKey(tag: string, suffix: KeySuffix, id = ''): string {
  return tag + KEY_SUFFIXES[suffix] + id;
}

/** Keys that belong to the deployment, not to a partition. */
export function deploymentKeys(namespace: string) {
  const tag = `{${namespace}}:`;
  return {
    /** HASH workflow name -> latest version or content hash; see workflow-registry. */
    workflows: `${tag}workflows`,
    /** HASH `name@version` -> registration (JSON). */
    workflowVersions: `${tag}workflows:versions`,
    /** HASH `queue/handler` -> recent step duration in ms. */
    durations: `${tag}durations`,
    /** HASH breaker -> its state in the fleet (JSON); until nobody has used it for a day. */
    breakers: `${tag}breakers`,
    /** ZSET breaker by last use (Redis ms). */
    breakersSeen: `${tag}breakers:seen`,
    /** HASH error group (fingerprint) -> what somebody decided of it: `resolved|<ms>` or `ignored|<ms>`. */
    errorStates: `${tag}errors:states`,
    /** ZSET bulk job by creation. */
    bulks: `${tag}bulks`,
    /** ZSET the same, of those that have not ended. */
    openBulks: `${tag}bulks:open`,
  } as const;
}

/** Of one bulk job; a run retention after its end they are gone. */
export function bulkKeys(namespace: string, bulkId: string) {
  const prefix = `{${namespace}}:bulk:${bulkId}`;
  return {
    /** HASH its specification, state, counts, and who works on it. */
    job: prefix,
    /** LIST `run|opening` that it takes, in order. */
    runs: `${prefix}:runs`,
    /** LIST what became of each (JSON), as far as it has come. */
    outcomes: `${prefix}:outcomes`,
  } as const;
}

/** HASH attempt -> what its last heartbeat has reported (JSON), of the attempts of one worker. */
export function progressKeyOf(namespace: string, worker: string): string {
  return `{${namespace}}:progress:${worker}`;
}

/** What apps/dashboard keeps. */
export function dashboardKeys(namespace: string) {
  return {
    /** STRING the API key of a browser's session, encrypted; until it was not used for a while. `digest` is of its token. */
    session: (digest: string) => `{${namespace}}:dashboard:session:${digest}`,
  } as const;
}

/** What packages/breakers keeps of the fleet's breakers. */
export function breakerKeys(namespace: string) {
  const { breakers, breakersSeen } = deploymentKeys(namespace);
  return {
    breakers,
    breakersSeen,
    channel: namespace + CHANNELS.breakers,
    /** HASH of first tries and retries of the steps behind a breaker; lives for two windows of the retry budget. */
    retriesOf: (name: string) => `{${namespace}}:retries:${name}`,
  } as const;
}
