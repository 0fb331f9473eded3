import { INVARIANTS } from './invariants/index.ts';
import type { Recording } from './recording.ts';
import { runFacts } from './run-facts.ts';
import type { Bounds, Violation } from './violation.ts';

export interface CheckOptions {
  bounds?: Bounds;
  /** False: runs go on while this is recorded; what only holds at rest is not checked. Default true. */
  atRest?: boolean;
}

/** Everything that is wrong with a recording; none when all invariants hold. Pure: the same recording, the same answer. */
export function checkRecording(recording: Recording, { bounds = {}, atRest = true }: CheckOptions = {}): Violation[] {
  const context = { recording, runs: recording.runs.map(runFacts), bounds, atRest };
  return INVARIANTS.flatMap((invariant) => invariant.check(context));
}
