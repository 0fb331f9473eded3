import type { Chance } from '@flotilla/chaos';
import { type Bounds, checkRecording, explain, type Recording } from '@flotilla/checker';
import type { DraftRecording } from './mutants/index.ts';
import type { Mutant } from './mutants/mutant.ts';

const BOUNDS: Bounds = { cancelMs: 3000, probeIntervalMs: 2000 };

export interface Judgement {
  /** Which the checker names, in order and each once. */
  invariants: string[];
  text: string;
}

/** What the checker says of a mutant of the recording. */
export function named(recording: Recording, { mutate }: Mutant, chance: Chance, bounds = BOUNDS): Judgement {
  const draft = structuredClone(recording) as DraftRecording;
  mutate(draft, chance);
  return judge(draft as Recording, bounds);
}

export function judge(recording: Recording, bounds = BOUNDS): Judgement {
  const violations = checkRecording(recording, { bounds });
  return { invariants: [...new Set(violations.map(({ invariant }) => invariant))], text: explain(violations) };
}
