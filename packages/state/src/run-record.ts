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

/** Meta fields of a run's hash, in the order in which `parseRun` takes their values. */
export const RUN_FIELDS = ['u', 'c', 'd', 'w', 'v', 'z', 'i', 'o', 't', 'l', 'x', 'f'] as const;

/** A run's view from its fields; undefined when there is no such run. */
export function parseRun(runId: string, values: readonly (string | null)[]): RunView | undefined {
  const [status, created, definitionHash, workflow, version, ended, input, output, tags, live, ending, failed] = values;
  if (status == null) return undefined;
  const createdAt = Number(created);
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
    const error = failed ?? ending?.slice(2);
    if (error != null) view.error = JSON.parse(error) as StepError & { stepId?: string };
  }
  if (live != null && Number(live) > 0) view.counts = { steps: 0, running: Number(live) };
  return view;
}
