/**
 * The keys of agents, all in the slot of the deployment.
 *
 * | key               | type   | lives                                  | holds |
 * |-------------------|--------|----------------------------------------|-------|
 * | `agents`          | HASH   | until left, or lost for an hour        | worker id -> who it is (JSON), told once |
 * | `agents:seen`     | ZSET   | likewise                               | worker id by its last heartbeat (Redis ms) |
 * | `agents:signs`    | HASH   | likewise                               | worker id -> how it is doing (JSON), told with each sign |
 * | `agents:health`   | HASH   | likewise; none of who always was well  | worker id -> judgement (JSON), written by schedulers |
 * | `agents:revision` | STRING | for ever                               | grows when agents come, go or are judged anew |
 * | `agents:events`   | LIST   | the last 1,000                         | what happened to agents' health, newest first (JSON) |
 */
export function agentKeys(namespace: string) {
  const tag = `{${namespace}}:agents`;
  return {
    agents: tag,
    seen: `${tag}:seen`,
    signs: `${tag}:signs`,
    health: `${tag}:health`,
    revision: `${tag}:revision`,
    events: `${tag}:events`,
  } as const;
}
