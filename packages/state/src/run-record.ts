import type { Json, RunStatus, RunView, StepError } from '@flotilla/contracts';

/** Stored letter of a run's status. */
const STATUS_OF_LETTER: Record<string, RunStatus> = {
  n: 'pending',
  r: 'running',
  p: 'paused',
  e: 'cancelling',
  S: 'succeeded',
  F: 'failed',
  C: 'cancelled',
  T: 'timed-out',
};

export function runStatusOf(letter: string): RunStatus {
  return STATUS_OF_LETTER[letter] ?? 'pending';
}

/** What every transition needs of a run, packed into the field `m`: status, creation, live attempts, open end steps, … */
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

/** Fields of a run's hash, in the order in which `parseRun` takes their values. */
export const RUN_FIELDS = ['m', 'd', 'w', 'v', 'z', 'i', 'o', 't', 'x', 'f'] as const;

/** A run's view from its fields; undefined when there is no such run. */
export function parseRun(runId: string, values: readonly (string | null)[]): RunView | undefined {
  const [packed, definitionHash, workflow, version, ended, input, output, tags, ending, failed] = values;
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
  if (live > 0) view.counts = { steps: 0, running: live };
  return view;
}
