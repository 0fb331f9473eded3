import type { WorkflowDefinition } from '@flotilla/contracts';

/** A shape of work that every target runs in its own way. Steps are no-ops that return `{ i }`. */
export interface Workload {
  name: 'chain' | 'fan';
  /** Runs of one measurement. */
  runs: number;
  stepsPerRun: number;
}

export const CHAIN_LENGTH = 10;
export const FAN_WIDTH = 20;

export function workloads(scale: number): Workload[] {
  return [
    { name: 'chain', runs: Math.round(4000 * scale), stepsPerRun: CHAIN_LENGTH },
    { name: 'fan', runs: Math.round(2000 * scale), stepsPerRun: FAN_WIDTH + 2 },
  ];
}

/** The handler that `bench-handlers.ts` gives to workers. */
export const NOOP = 'bench.noop';

export function definitionOf(name: Workload['name']): WorkflowDefinition {
  const steps: WorkflowDefinition['steps'] = {};
  if (name === 'chain') {
    for (let index = 0; index < CHAIN_LENGTH; index += 1) {
      steps[`s${index}`] = { kind: 'task', use: NOOP, ...(index > 0 ? { needs: [`s${index - 1}`] } : {}) };
    }
  } else {
    steps['first'] = { kind: 'task', use: NOOP };
    const branches = Array.from({ length: FAN_WIDTH }, (_, index) => `b${index}`);
    for (const branch of branches) steps[branch] = { kind: 'task', use: NOOP, needs: ['first'] };
    steps['last'] = { kind: 'task', use: NOOP, needs: branches };
  }
  return { flotilla: 1, name: `bench-${name}`, steps };
}
