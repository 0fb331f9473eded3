import type { Json, RunStatus, RunView, StepError } from '@flotilla/contracts';

/** Stored letter of a run's status. */
const STATUS_OF_LETTER: Record<string, RunStatus> = {
  n: 'pending',
  r: 'running',
  p: 'paused',
  e: 'cancelling',
  // Ended, and being reopened.
  a: 'pending',
  S: 'succeeded',
  F: 'failed',
  C: 'cancelled',
  T: 'timed-out',
};

export function runStatusOf(letter: string): RunStatus {
  return STATUS_OF_LETTER[letter] ?? 'pending';
}

/** What every transition needs of a run, packed into the field `m`: status, creation, live attempts, open end steps, …; behind them `u` when steps were undone and made again. */
export interface RunMeta {
  /** Letter; see `runStatusOf`. */
  letter: string;
  createdAt: number;
  live: number;
}

export function parseRunMeta(packed: string): RunMeta {
  const [letter = '', created, live] = packed.split('|');
  return { letter, createdAt: Number(created), live: Number(live) };
}

/** How an ending run ends, by the letter that `x` begins with. */
const OUTCOME_OF_LETTER: Record<string, 'failed' | 'cancelled' | 'timed-out'> = {
  f: 'failed',
  c: 'cancelled',
  t: 'timed-out',
};

/** `registered|left|failed|begun`, as the transitions write it. */
export function parseCleanupCounts(stored: string): { registered: number; left: number; failed: number } {
  const [registered, left, failed] = stored.split('|').map(Number);
  return { registered: registered || 0, left: left || 0, failed: failed || 0 };
}

/** Fields of a run's hash, in the order in which `parseRun` takes their values. */
export const RUN_FIELDS = ['m', 'd', 'w', 'v', 'z', 'i', 'o', 't', 'x', 'f', 'u', 'a'] as const;

/** A run's view from its fields; undefined when there is no such run. */
export function parseRun(runId: string, values: readonly (string | null)[]): RunView | undefined {
  const [packed, definitionHash, workflow, version, ended, input, output, tags, ending, failed, cleanups, reopened] =
    values;
  if (packed == null) return undefined;
  const { letter: status, createdAt, live } = parseRunMeta(packed);
  const view: RunView = {
    runId,
    workflow: workflow ?? '',
    definitionHash: definitionHash ?? '',
    status: runStatusOf(status),
    createdAt,
    tags: tags == null ? [] : (JSON.parse(tags) as string[]),
  };
  if (version != null) view.version = version;
  if (ended != null) view.endedAt = createdAt + Number(ended);
  if (input != null) view.input = JSON.parse(input) as Json;
  if (output != null) view.output = JSON.parse(output) as Json;
  if (status === 'F' || status === 'T' || status === 'C' || status === 'e') {
    // What ended the run comes before a failure that it had gone on after.
    const error = ending?.slice(2) ?? failed;
    if (error != null) view.error = JSON.parse(error) as StepError & { stepId?: string };
  }
  if (cleanups != null && status !== 'S') {
    const outcome = OUTCOME_OF_LETTER[status === 'e' ? (ending?.charAt(0) ?? '') : status.toLowerCase()];
    if (outcome !== undefined) view.cleanups = { ...parseCleanupCounts(cleanups), outcome };
  }
  if (reopened != null) view.opening = Number.parseInt(reopened, 10);
  if (live > 0) view.counts = { steps: 0, running: live };
  return view;
}
