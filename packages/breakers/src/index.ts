export { type BreakerRecord, breakerReason, judgeBreaker, sinceOf } from './breaker-record.ts';
export { type BreakerSettings, DEFAULT_BREAKER_SETTINGS } from './breaker-settings.ts';
export { type Admission, Breakers, type CallOutcome, type CallPass } from './breakers.ts';
export { type BreakerKeys, FleetBreakers } from './fleet-breakers.ts';
export { ReturnSpread, returnSpreadMs } from './return-spread.ts';
