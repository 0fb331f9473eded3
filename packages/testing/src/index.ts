export * from '@flotilla/local-fleet';
export { agentViewWith } from './agent-view.ts';
export { checkReplay, type ReplayedGraph, type ReplayOptions, type ReplayReport } from './replay-checks.ts';
export { sharedRedis } from './shared-redis.ts';
export { startFleet, type TestFleetOptions } from './start-fleet.ts';
export { testNamespace } from './test-namespace.ts';
