export {
  type ChaosProxy,
  type ChaosProxyOptions,
  type ProxyCounts,
  type ProxyMode,
  startChaosProxy,
} from './chaos-proxy.ts';
export { type ProcessExit, type StartedProcess, type StartProcessOptions, startProcess } from './child-process.ts';
export { type Dependency, type DependencyMood, startDependency } from './dependency.ts';
export { type EventuallyOptions, eventually, within } from './eventually.ts';
export { type Fleet, type FleetMember, type FleetOptions, startFleet, startProgram } from './fleet.ts';
export { type ApiAnswer, FleetApi, mapInTurn, type RequestOptions, type RunRecord } from './fleet-api.ts';
export { freePort } from './free-port.ts';
export { findRedisServer, type LocalRedis, type StartRedisOptions, startRedis } from './local-redis.ts';
export { MAX_SLOWDOWN, type MachineTimeline, recordMachineTime, startStopwatch } from './machine-time.ts';
export { ownModule, PROJECT_FOLDER, type ProgramName, programFile } from './own-module.ts';
export { launchSentinel, type SentinelProcess, sentinelUrl } from './sentinel-process.ts';
export { type SpawnNodeOptions, spawnNode } from './spawn-node.ts';
export { type ClusterOptions, type RedisCluster, startCluster } from './start-cluster.ts';
export { type SentinelOptions, type SentinelSet, startSentinel } from './start-sentinel.ts';
export {
  FAR_ADDRESS,
  type Side,
  type SplitSentinel,
  type SplitSentinelOptions,
  startSplitSentinel,
} from './start-split-sentinel.ts';
