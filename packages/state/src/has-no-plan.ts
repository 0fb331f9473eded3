import { FlotillaError } from '@flotilla/contracts';

/** True of what `readPlan` throws when there is no plan to be had here: the definition is damaged, or not understood. */
export function hasNoPlan(error: unknown): boolean {
  return (
    error instanceof FlotillaError && (error.code === 'DATA_CORRUPTION' || error.code === 'DEFINITION_NOT_UNDERSTOOD')
  );
}
