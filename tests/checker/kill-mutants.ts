import { type Bounds, checkRecording, explain, type Recording } from '@flotilla/testing';
import type { Chance } from '../chaos/random.ts';
import type { DraftRecording } from './mutants/index.ts';
import type { Mutant } from './mutants/mutant.ts';

const BOUNDS: Bounds = { cancelMs: 3000, tasksMayRemain: false };

/** Which invariants the checker names for a mutant of the recording, in order and each once, and its explanation. */
export function named(
  recording: Recording,
  { mutate }: Mutant,
  chance: Chance,
): { invariants: string[]; text: string } {
  const draft = structuredClone(recording) as DraftRecording;
  mutate(draft, chance);
  return judge(draft as Recording);
}

export function judge(recording: Recording): { invariants: string[]; text: string } {
  const violations = checkRecording(recording, { bounds: BOUNDS });
  return { invariants: [...new Set(violations.map(({ invariant }) => invariant))], text: explain(violations) };
}
