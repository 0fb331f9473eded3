import type { FaultId } from './fault-table.ts';
import type { MadeFault } from './run-chaos.ts';

/** Faults that had to come and never did: the time was too short for them, or the machine too slow. */
export function findNotMade(wanted: readonly FaultId[], made: readonly Pick<MadeFault, 'planned'>[]): string[] {
  if (made.length === 0) return ['no fault was made'];
  const came = new Set(made.map(({ planned }) => planned.id));
  return wanted.filter((id) => !came.has(id)).map((id) => `${id} was to be made and never was`);
}
