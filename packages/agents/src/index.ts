export * from './agent-directory.ts';
export { agentKeys } from './agent-keys.ts';
export * from './health-record.ts';
export * from './heartbeat.ts';
export * from './work-meter.ts';
