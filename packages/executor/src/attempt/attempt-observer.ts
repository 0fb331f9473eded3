import type { AttemptAddress } from '@flotilla/state';

/** What is told of an attempt when it begins. */
export interface ObservedAttempt {
  address: AttemptAddress;
  workflow: string;
  stepId: string;
  /** What the step calls: a handler. */
  use: string;
  /** From 1. */
  attempt: number;
  isCleanup: boolean;
  /** Redis' clock. */
  startedAt: number;
}

/** How it ended. */
export interface ObservedEnd {
  /** `refused`: somebody else has ended it before. */
  outcome: 'commit' | 'retry' | 'fail' | 'park' | 'release' | 'refused';
  /** Redis' clock. */
  endedAt: number;
  error?: { type: string; code: string } | undefined;
  retryInMs?: number | undefined;
}

export interface AttemptObservation {
  /** What lines that are logged about the attempt have besides, so that they are found with it. */
  logFields: Readonly<Record<string, string>>;
  /** Makes the call of the handler, in what its libraries are to find around it. */
  within: <T>(call: () => T) => T;
  /** Told once. Never throws. */
  end: (end: ObservedEnd) => void;
}

/** Watches attempts, for traces. Whatever it does, it neither ends nor delays them: `begin` never rejects. */
export interface AttemptObserver {
  begin: (attempt: ObservedAttempt) => Promise<AttemptObservation>;
}
