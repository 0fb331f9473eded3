export {
  FAULT_IDS,
  type FaultId,
  faultOf,
  MIX_BOUND_MS,
  MIXES,
} from './driver/fault-table.ts';
export { findFaketime } from './driver/inject/clock-faults.ts';
export { mountSmallDisk } from './driver/inject/disk-full.ts';
export { planEachWay } from './driver/plan-each-way.ts';
export { recoveriesOf } from './driver/recoveries.ts';
export { goneWithRedis, isClean, keep, textOf } from './driver/report.ts';
export { type ChaosOptions, type ChaosResult, type MadeFault, runChaos } from './driver/run-chaos.ts';
export { SAFEGUARDS, withMutation } from './driver/safeguards.ts';
export { PROBE_INTERVAL_MS } from './driver/scene.ts';
export { SteadyLoad } from './driver/steady-load.ts';
export { countTreated, treat } from './driver/treatments.ts';
export { type MixedGraph, mixedGraph } from './graphs/mixed-graphs.ts';
export { findWrongRuns, type StartedGraph, startGraphs, summarizeRecoveries } from './judge-runs.ts';
export { chaosProgram, soakProgram } from './programs.ts';
export { type Chance, chanceOf } from './random.ts';
export { HistoryWatch } from './soak/history-watch.ts';
export { kitchenSink } from './soak/kitchen-sink.ts';
export { PacedLoad } from './soak/paced-load.ts';
export {
  keep as keepSoak,
  reportOf as reportOfSoak,
  type SoakReport,
  textOf as textOfSoak,
} from './soak/report.ts';
export { runSoak } from './soak/run-soak.ts';
