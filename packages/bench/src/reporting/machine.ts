import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import type { BenchOptions } from '../options.ts';

/** Where and when figures were measured. */
export interface Machine {
  date: string;
  processor: string;
  cores: number;
  memoryGb: number;
  node: string;
  redis: string;
  /** Load average of the minute before the first round, and of the minute before the end. */
  loadBefore: number;
  loadAfter: number;
}

export function describeMachine(redis: string, loadBefore: number): Machine {
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    node: process.version,
    redis,
    loadBefore,
    loadAfter: loadOfLastMinute(),
  };
}

export function loadOfLastMinute(): number {
  return loadavg()[0] ?? Number.NaN;
}

/** The sentence above the tables. */
export function machineLine(machine: Machine, options: BenchOptions, command: string): string {
  const { date, processor, cores, memoryGb, node, redis, loadBefore, loadAfter } = machine;
  return (
    `Measured ${date} on ${cores} cores (${processor}), ${memoryGb} GB, Node ${node}, Redis ${redis} with AOF everysec, ` +
    `${options.workers} worker process${options.workers === 1 ? '' : 'es'} with ${options.slots} slots unless the workload ` +
    `says otherwise, ${options.rounds} rounds at scale ${options.scale}; load of the machine ${loadBefore.toFixed(1)} ` +
    `before and ${loadAfter.toFixed(1)} at the end: \`${command}\`.`
  );
}
