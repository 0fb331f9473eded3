import type { Mutant } from './mutant.ts';
import { V19 } from './of-breakers.ts';
import { V0, V2, V3, V4, V5, V6, V7, V8, V10 } from './of-histories.ts';
import { V20 } from './of-indexes.ts';
import { V9, V12 } from './of-steps.ts';
import { V1 } from './of-submissions.ts';
import { V13, V14, V15, V16, V17, V18 } from './of-the-fleet.ts';

/** Ways to break each invariant and no other. */
export const MUTANTS: Readonly<Record<string, readonly Mutant[]>> = {
  ...{ V0, V1, V2, V3, V4, V5, V6, V7, V8, V9 },
  ...{ V10, V12, V13, V14, V15, V16, V17, V18, V19, V20 },
};

export type { DraftRecording } from './mutant.ts';
