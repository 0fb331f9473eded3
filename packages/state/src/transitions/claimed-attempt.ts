import type { StepKey } from '../plan-shape.ts';
import type { TransitionReply } from '../transition-batch.ts';

/** A stored header and output of a step that an attempt reads. */
export interface StoredStep {
  key: StepKey;
  header: string;
  output: string;
}

export interface ClaimedAttempt {
  fence: number;
  /** Redis' clock when the attempt was claimed. */
  claimedAt: number;
  createdAt: number;
  failures: number;
  crashes: number;
  /** When the step's first attempt was claimed. */
  firstAt: number;
  /** The opening of the run in which the step was last made again after it had been undone. */
  redoneIn?: number;
  /** JSON, when asked for. */
  inputJson: string;
  itemJson: string;
  sources: StoredStep[];
}

/** What `claimed` and `continued` replies have in common: fence, now, failures, crashes, first, redoneIn; then what was asked for. */
export function claimedAttempt(
  reply: TransitionReply,
  sources: readonly StepKey[],
  createdAt: number,
  [fence, now, failures, crashes, first, redoneIn]: readonly (string | undefined)[],
): ClaimedAttempt {
  return {
    fence: createdAt + Number(fence),
    claimedAt: Number(now),
    createdAt,
    failures: Number(failures),
    crashes: Number(crashes),
    firstAt: createdAt + Number(first),
    ...(redoneIn === undefined ? {} : { redoneIn: Number(redoneIn) }),
    inputJson: reply[1] ?? '',
    itemJson: reply[2] ?? '',
    sources: sources.map((key, index) => ({
      key,
      header: reply[3 + index * 2] ?? '',
      output: reply[4 + index * 2] ?? '',
    })),
  };
}
