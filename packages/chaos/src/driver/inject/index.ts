import type { FaultId } from '../fault-table.ts';
import { skewClock } from './clock-faults.ts';
import { killDependency } from './dependency-faults.ts';
import { fillDisk } from './disk-full.ts';
import type { Injector } from './injury.ts';
import { cutOffWorker, halfCutOffWorker, slowNetwork } from './network-faults.ts';
import { busyRedis, fillRedis, freezeRedis, killRedis, noConnections, vandaliseQueue } from './redis-faults.ts';
import { killSchedulers } from './scheduler-faults.ts';
import { cancelStorm, exhaustMemory, poisonStep } from './step-faults.ts';
import { blockWorker, freezeWorker, killWorker, restartWorker } from './worker-faults.ts';

export const INJECTORS: Readonly<Record<FaultId, Injector>> = {
  F1: killWorker,
  F2: restartWorker,
  F3: freezeWorker,
  F4: blockWorker,
  F5: killSchedulers,
  F6: killRedis,
  F8: freezeRedis,
  F9: busyRedis,
  F12: cutOffWorker,
  F13: halfCutOffWorker,
  F14: slowNetwork,
  F15: fillRedis,
  F16: fillDisk,
  F17: exhaustMemory,
  F18: noConnections,
  F19: skewClock,
  F20: poisonStep,
  F22: vandaliseQueue,
  F25: cancelStorm,
  F26: killDependency,
};
