import type { Invariant } from '../violation.ts';
import { v00 } from './v00-order.ts';
import { v01 } from './v01-submissions.ts';
import { v02 } from './v02-one-end.ts';
import { v03 } from './v03-one-commit.ts';
import { v04, v05 } from './v04-v05-fences.ts';
import { v06 } from './v06-needs.ts';
import { v07 } from './v07-attempts.ts';
import { v08 } from './v08-backoff.ts';
import { v09 } from './v09-checkpoints.ts';
import { v10 } from './v10-cancel.ts';
import { v12 } from './v12-effects.ts';
import { v13 } from './v13-at-rest.ts';
import { v14 } from './v14-conservation.ts';
import { v15 } from './v15-clocks.ts';
import { v16 } from './v16-recovery.ts';
import { v17 } from './v17-agents.ts';
import { v18 } from './v18-processes.ts';
import { v19 } from './v19-breakers.ts';
import { v20 } from './v20-indexes.ts';

/** All that is checked. V11 (channels) comes with the part it speaks of. */
export const INVARIANTS: readonly Invariant[] = [
  ...[v00, v01, v02, v03, v04, v05, v06, v07, v08, v09],
  ...[v10, v12, v13, v14, v15, v16, v17, v18, v19, v20],
];
