export { type ProcessExit, type StartedProcess, type StartProcessOptions, startProcess } from './child-process.ts';
export { type EventuallyOptions, eventually, within } from './eventually.ts';
export { freePort } from './free-port.ts';
export { findRedisServer, type LocalRedis, type StartRedisOptions, startRedis } from './local-redis.ts';
export { sharedRedis } from './shared-redis.ts';
export { type SpawnNodeOptions, spawnNode } from './spawn-node.ts';
export { testNamespace } from './test-namespace.ts';
