import type { StepKey } from '../plan-shape.ts';

export interface StepAddress {
  tag: string;
  runId: string;
  key: StepKey;
}

export interface AttemptAddress extends StepAddress {
  fence: number;
  /** The run's creation: fences are stored as offsets from it. */
  createdAt: number;
  attemptId: string;
}

/** The four arguments that transitions of a claimed attempt begin with. */
export const attemptArguments = ({ runId, key, fence, createdAt, attemptId }: AttemptAddress) => ({
  runId,
  key,
  fence: fence - createdAt,
  attemptId,
});

/** A step of which a scheduler decides because its group has fired. */
export interface FiredStep extends StepAddress {
  /** In which opening of the run the group fired: nothing happens when the run has been reopened since. Absent: any. */
  opening?: number | undefined;
}

export const isItem = (key: StepKey) => key.includes('.');
