import { INVARIANTS } from './invariants/index.ts';
import type { Recording } from './recording.ts';
import { runFacts } from './run-facts.ts';
import type { Bounds, Violation } from './violation.ts';

export interface CheckOptions {
  bounds?: Bounds;
  /** False: runs go on while this is recorded; what only holds at rest is not checked. Default true. */
  atRest?: boolean;
}

export interface Judgement {
  violations: Violation[];
  /** What a Redis that was killed had acknowledged and not yet written: each has its age. */
  lostWithRedis: Violation[];
}

/** Everything that is wrong with a recording; none when all invariants hold. Pure: the same recording, the same answer. */
export function checkRecording(recording: Recording, options: CheckOptions = {}): Violation[] {
  return judgeRecording(recording, options).violations;
}

/** The same, and beside it what is excused because Redis was killed. */
export function judgeRecording(recording: Recording, { bounds = {}, atRest = true }: CheckOptions = {}): Judgement {
  const context = { recording, runs: recording.runs.map(runFacts), bounds, atRest };
  const found = INVARIANTS.flatMap((invariant) => invariant.check(context));
  const isExcused = ({ unwrittenAgeMs }: Violation) => unwrittenAgeMs !== undefined;
  return { violations: found.filter((violation) => !isExcused(violation)), lostWithRedis: found.filter(isExcused) };
}
